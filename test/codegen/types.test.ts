import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { printClient } from '../../codegen/print-client.js'
import { compilers, resolutions, typeCheck } from '../package/support/compilers.js'
import { builtPackage } from '../package/support/package.js'
import bytes from './contracts/bytes.js'
import chat from './contracts/chat.js'
import empty from './contracts/empty.js'
import hostile from './contracts/hostile.js'
import { sink } from './contracts/kitchen-sink.js'
import many from './contracts/many.js'

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ackord-types-'))
  await mkdir(join(directory, 'node_modules'))
  await symlink(await builtPackage(), join(directory, 'node_modules', 'ackord'), 'junction')
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  await writeFile(
    join(directory, 'usage.ts'),
    await readFile(new URL('./expected/chat.usage.ts', import.meta.url)),
  )
  for (const [name, contract] of Object.entries({ bytes, chat, empty, hostile, sink, many })) {
    await writeFile(join(directory, `${name}.client.ts`), printClient(contract))
  }
  return () => rm(directory, { recursive: true, force: true })
}, 240_000)

const files = ['bytes', 'chat', 'empty', 'hostile', 'sink', 'many'].map((name) => `${name}.client.ts`)

describe.each(Object.entries(compilers))(
  'with %s, generated clients and their use type-check',
  (_, compiler) => {
    it.each(Object.entries(resolutions))(
      'under %s',
      async (_name, options) => {
        expect(
          await typeCheck(compiler, directory, [...files, 'usage.ts'], { ...options, skipLibCheck: true }),
        ).toBe('')
      },
      60_000,
    )

    it('and a wrong use does not', async () => {
      const wrong = "import { createMany } from './many.client.js'\ncreateMany('').calls.group0.call1\n"
      await writeFile(join(directory, 'wrong.ts'), wrong)
      expect(
        await typeCheck(compiler, directory, ['wrong.ts'], { ...resolutions.bundler, skipLibCheck: true }),
      ).toMatch(/^wrong\.ts\(2,29\): error TS2551: Property 'call1' does not exist/)
    }, 60_000)
  },
)

describe('a contract of 500 calls', () => {
  it('costs the compiler no instantiation per call', async () => {
    const instantiations = async (file: string): Promise<number> => {
      const options = { ...resolutions.bundler, skipLibCheck: true, extendedDiagnostics: true }
      const printed = await typeCheck(compilers['TypeScript 6.0'] ?? '', directory, [file], options)
      return Number(/^Instantiations: +(\d+)$/m.exec(printed)?.[1])
    }
    const none = await instantiations('empty.client.ts')
    expect(none).toBeGreaterThan(0)
    expect((await instantiations('many.client.ts')) - none).toBeLessThan(100)
  }, 60_000)
})
