/** What a page carries of the runtime: what its contract needs. */
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { expect, it, onTestFinished } from 'vitest'
import { printClient } from '../../codegen/print-client.js'
import { call, defineContract, Type } from '../../contract/index.js'

const source = (path: string): string => fileURLToPath(new URL(`../../client/${path}`, import.meta.url))

/** A generated client with the runtime, as an application's build makes it. */
async function bundled(calls: Parameters<typeof defineContract>[0]['calls'] & object): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ackord-bundle-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const entry = join(directory, 'test.client.ts')
  await writeFile(entry, printClient(defineContract({ name: 'test', version: '1', calls })))
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
const STREAMS = 'a stream is read once'
const MSGPACK = 'ackord.v1.msgpack'
const SERVER = 'unref'

it('carries streams where a call has items, and otherwise nothing of them', async () => {
  const input = Type.Null()
  const plain = await bundled({ get: call({ input }) })
  expect([STREAMS, MSGPACK, SERVER].filter((word) => plain.includes(word))).toEqual([])
  const streaming = await bundled({ follow: call({ input, item: Type.String() }) })
  expect([STREAMS, MSGPACK].filter((word) => streaming.includes(word))).toEqual([STREAMS])
  const bytes = await bundled({ put: call({ input: Type.Uint8Array() }) })
  expect([STREAMS, MSGPACK].filter((word) => bytes.includes(word))).toEqual([MSGPACK])
}, 60_000)
