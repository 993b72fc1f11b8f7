/** What a page imports, bundled as an application's build does. */
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** One file of the project as an ES module without imports. */
export async function bundle(path: string): Promise<string> {
  const entry = fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  const results = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry, formats: ['es'], fileName: 'bundle' } },
  })
  const [result] = [results].flat()
  const [chunk] = result !== undefined && 'output' in result ? result.output : []
  if (chunk?.type !== 'chunk') throw new Error('vite made no bundle')
  return chunk.code
}
