/** What a page carries of the runtime: what its contract needs. */
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { expect, it, onTestFinished } from 'vitest'
import { printClient } from '../../codegen/print-client.js'
import { call, defineContract, event, room, Type } from '../../contract/index.js'

const source = (path: string): string => fileURLToPath(new URL(`../../client/${path}`, import.meta.url))

/** A generated client with the runtime, as an application's build makes it. */
async function bundled(
  parts: Omit<Parameters<typeof defineContract>[0], 'name' | 'version'>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ackord-bundle-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const entry = join(directory, 'test.client.ts')
  await writeFile(entry, printClient(defineContract({ name: 'test', version: '1', ...parts })))
  const results = await build({
    ...{ configFile: false, logLevel: 'error', root: directory },
    resolve: {
      alias: [
        { find: /^ackord\/client$/, replacement: source('index.ts') },
        { find: /^ackord\/client\/msgpack$/, replacement: source('msgpack.ts') },
      ],
    },
    build: { write: false, lib: { entry, formats: ['es'], fileName: 'bundle' } },
  })
  const [result] = [results].flat()
  const [chunk] = result !== undefined && 'output' in result ? result.output : []
  if (chunk?.type !== 'chunk') throw new Error('vite made no bundle')
  return chunk.code
}

// Words of modules that a contract may do without.
const WORDS = {
  streams: /a stream is read once/,
  rooms: /is not a position/,
  presence: /connections/,
  inbox: /lasting: ?(?:true|!0)/,
  msgpack: /ackord\.v1\.msgpack/,
  server: /unref/,
}
const carried = (bundle: string): string[] =>
  Object.entries(WORDS).flatMap(([what, word]) => (word.test(bundle) ? [what] : []))

it('carries what treats streams, rooms, presence, inboxes and bytes where a contract has them, and otherwise nothing of it', async () => {
  const input = Type.Null()
  const state = Type.String()
  const params = Type.Object({})
  const cases: readonly [expected: readonly string[], parts: Parameters<typeof bundled>[0]][] = [
    [[], { calls: { get: call({ input }) }, events: { told: event({ payload: state }) } }],
    [['streams'], { calls: { follow: call({ input, item: state }) } }],
    [['msgpack'], { calls: { put: call({ input: Type.Uint8Array() }) } }],
    [['rooms'], { rooms: { lobby: room({ params, events: {} }) } }],
    [['rooms', 'presence'], { rooms: { lobby: room({ params, events: {}, presence: state }) } }],
    [['rooms', 'inbox'], { events: { told: event({ payload: state, delivery: 'recoverable' }) } }],
  ]
  for (const [expected, parts] of cases) expect(carried(await bundled(parts))).toEqual(expected)
}, 60_000)
