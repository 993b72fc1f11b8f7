/** Servers whose `authenticate` waits, and what clients of the small contract say first. */

import { expect } from 'vitest'
import { contract, type ServerOptions, startServer } from '../support/server.js'
import { eventually } from './support.js'

/** HELLO. */
export const hello = (session: unknown, token?: string, hash: string = contract.hash): readonly unknown[] => [
  1,
  session,
  hash,
  '1.0.0',
  [],
  token ?? null,
]

/** CALL of `echo`. */
export const echo = (seq: number, text = `${seq}`): readonly unknown[] => [2, seq, 'echo', { text }]

/** A server whose `authenticate` takes every token, once `release` was called. */
export async function serveSlowly(options: ServerOptions = {}) {
  let release = (): void => {}
  let count = 0
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const server = await startServer({
    ...options,
    namespace: {
      authenticate: async ({ token }) => {
        count++
        await gate
        return { id: token, role: 'member' }
      },
    },
  })
  /** Resolves once `authenticate` was called so many times. */
  const asked = (times: number): Promise<void> => eventually(() => expect(count).toBe(times))
  return { ...server, release, asked }
}
