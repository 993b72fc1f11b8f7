import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** What takes more servers than `npm test` starts: run by `npm run faults`. */
export default defineConfig({
  root: fileURLToPath(new URL('../../../..', import.meta.url)),
  test: {
    include: ['test/faults/cluster/conformance/*.suite.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
  },
})
