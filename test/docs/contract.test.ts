import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import type { Contract } from '../../contract/index.js'

it('The contract of the README is one, and names what its examples name', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, block] = /^## The contract\n.*?^```ts\n(.*?)^```/ms.exec(readme) ?? []
  const folder = mkdtempSync(fileURLToPath(new URL('.readme-', import.meta.url)))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(`${folder}/contract.ts`, block ?? '')
  const { default: contract }: { default: Contract } = await import(`${folder}/contract.ts`)
  expect(Object.keys(contract.calls ?? {})).toEqual(
    expect.arrayContaining([...readme.matchAll(/^ {4}'(\w+\.\w+)': \[/gm)].map(([, name]) => name)),
  )
  const asked = [...readme.matchAll(/\.ask(?:All)?\('(\w+)'/g)].map(([, name]) => name)
  expect(asked.length).toBeGreaterThan(1)
  for (const name of asked) expect(contract.events?.[name ?? '']?.ack).toBeDefined()
})
