/** The code of the pages that promise to be compiled. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it, onTestFinished } from 'vitest'
import { printClient } from '../../codegen/print-client.js'
import type { Contract } from '../../contract/index.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Each block of TypeScript as a file: named by its first line (`// name.ts`), or by its number. */
function blocksOf(page: string): Map<string, string> {
  const text = readFileSync(join(root, page), 'utf8')
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code)
  return new Map(blocks.map((code, i) => [/^\/\/ (\w+\.ts)\n/.exec(code)?.[1] ?? `block-${i + 1}.ts`, code]))
}

/** Writes a page's blocks, and the client of its contract where it has one; gives the files. */
async function write(page: string, folder: string): Promise<string[]> {
  const blocks = blocksOf(page)
  mkdirSync(folder)
  for (const [name, code] of blocks) writeFileSync(join(folder, name), `${code}\nexport {}\n`)
  if (blocks.has('contract.ts')) {
    const { default: contract }: { default: Contract } = await import(join(folder, 'contract.ts'))
    writeFileSync(join(folder, `${contract.name}.client.ts`), printClient(contract))
  }
  return [...blocks.keys()].map((name) => join(folder, name))
}

/** What the compiler says about some files within the checkout, under the project's own settings. */
function diagnose(files: readonly string[]): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const lib = ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts']
  const program = ts.createProgram([...files], { ...options, lib })
  const sources = files.flatMap((file) => program.getSourceFile(file) ?? [])
  expect(sources).toHaveLength(files.length)
  return sources
    .flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ])
    .map(({ file, start = 0, messageText }) => {
      const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
      const place = file?.fileName.split('/').slice(-2).join('/')
      return `${place}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

/** The README's contract with all there is to say, its client, and the example that goes by it; what an application has is declared. */
async function writeReadme(folder: string): Promise<string[]> {
  const blocks = [...blocksOf('README.md').values()]
  const contract = blocks.find((code) => code.includes("version: '2.0.0'"))
  const example = blocks.find((code) => code.includes('general.presence.set('))
  if (contract === undefined || example === undefined) throw new Error('README.md has other blocks')
  mkdirSync(folder)
  writeFileSync(join(folder, 'contract.ts'), contract)
  const { default: made }: { default: Contract } = await import(join(folder, 'contract.ts'))
  writeFileSync(join(folder, 'chat.client.ts'), printClient(made))
  const own = `import { createChat, type Message } from './chat.client.js'
    const chat = createChat('ws://localhost/chat')
    declare function show(message: Message): void
    declare function notify(message: Message): void
    declare function reload(messages: Message[]): void
    declare function reloadMentions(): void
    declare function list(members: readonly { user: string; state: { status: string } | undefined }[]): void\n`
  writeFileSync(join(folder, 'example.ts'), own + example)
  return ['contract.ts', 'example.ts'].map((name) => join(folder, name))
}

it('docs/patterns.md, docs/scaling.md and the example of the README have only code that compiles', {
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(fileURLToPath(new URL('.code-', import.meta.url)))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const patterns = await write('docs/patterns.md', join(folder, 'patterns'))
  const scaling = await write('docs/scaling.md', join(folder, 'scaling'))
  expect(patterns.length).toBeGreaterThan(7)
  expect(scaling.length).toBeGreaterThan(2)
  const readme = await writeReadme(join(folder, 'readme'))
  expect(diagnose([...patterns, ...scaling, ...readme])).toEqual([])
})
