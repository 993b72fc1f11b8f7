import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests run against the sources; what is packed into the package has its own test. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^ackord$/, replacement: source('plugins/index.ts') },
      { find: /^ackord\/contract$/, replacement: source('contract/index.ts') },
      { find: /^ackord\/wire$/, replacement: source('contract/wire/index.ts') },
      { find: /^ackord\/client$/, replacement: source('client/index.ts') },
      { find: /^ackord\/client\/msgpack$/, replacement: source('client/msgpack.ts') },
      { find: /^ackord\/react$/, replacement: source('client/react/index.ts') },
      { find: /^ackord\/publisher$/, replacement: source('plugins/publisher/index.ts') },
      { find: /^ackord\/testing$/, replacement: source('client/testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    retry: 0,
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
