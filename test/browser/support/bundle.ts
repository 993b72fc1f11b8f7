/** What a page imports, bundled as an application's build does. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** One file as an ES module without imports; a path is taken from the root of the project. A generated client brings the runtime along. */
export async function bundle(path: string): Promise<string> {
  const results = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: [{ find: /^ackord\/client$/, replacement: resolve(root, 'client/index.ts') }] },
    build: { write: false, lib: { entry: resolve(root, path), formats: ['es'], fileName: 'bundle' } },
  })
  const [result] = [results].flat()
  const [chunk] = result !== undefined && 'output' in result ? result.output : []
  if (chunk?.type !== 'chunk') throw new Error('vite made no bundle')
  return chunk.code
}
