/** Prints what the two codecs cost: bytes of a message in each, and of the client with and without msgpack. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import type { FrameOf } from '../../contract/wire/index.js'
import { msgpackCodec } from '../../contract/wire/msgpack.js'

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** One module with all that it imports, for a browser: minified, then gzipped; in bytes. */
async function bundled(code: string): Promise<number> {
  const entry = 'virtual:entry'
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? `\0${id}` : undefined),
        load: (id) => (id === `\0${entry}` ? code : undefined),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  const [chunk] = 'output' in result ? result.output : []
  if (chunk === undefined) throw new Error('vite made no bundle')
  return gzipSync(chunk.code, { level: 9 }).length
}

const samples: Readonly<Record<string, unknown>> = {
  'a chat message': { id: 'm_01j8', from: 'ada', text: 'Ready when you are.', at: 1_767_225_600_000 },
  '100 points': Array.from({ length: 100 }, (_, i) => ({ x: i * 3, y: 1000 - i })),
  '100 measurements': Array.from({ length: 100 }, (_, i) => Math.sin(i)),
  'an image of 10,000 bytes': { name: 'a.png', data: new Uint8Array(10_000).map((_, i) => i * 7) },
}

console.log('bytes of a message            JSON  msgpack')
for (const [what, payload] of Object.entries(samples)) {
  const frame: FrameOf<'PUBLICATION'> = [23, 'channel:general', 'posted', payload]
  const text = JSON.stringify(frame, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  )
  const sizes = [Buffer.byteLength(text), msgpackCodec.encode(frame).length]
  console.log(what.padEnd(26) + sizes.map((size) => size.toLocaleString('en-US').padStart(8)).join(' '))
}

const from = (file: string, ...names: string[]): string =>
  `export { ${names} } from '${source(`client/${file}`)}'\n`
const show = async (what: string, code: string): Promise<void> =>
  console.log(`${what.padEnd(26)}${(await bundled(code)).toLocaleString('en-US').padStart(8)}`)
// What a generated client imports depends on its contract.
console.log('\nclient of a contract with, minified and gzipped')
await show('calls and events', from('index.ts', 'createClient'))
await show('+ streams', from('index.ts', 'createClient', 'stream'))
await show('+ rooms', from('index.ts', 'createClient', 'membership'))
await show('+ rooms and presence', from('index.ts', 'createClient', 'membership', 'presence'))
await show('+ rooms and an inbox', from('index.ts', 'createClient', 'membership', 'inbox'))
const all = from('index.ts', 'createClient', 'membership', 'presence', 'inbox', 'stream')
await show('all of it', all)
await show('all of it, and bytes', all + from('msgpack.ts', 'msgpack'))
