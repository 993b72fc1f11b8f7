/** A TypeScript file of these tests in a process of its own: one question, one answer. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const JITI = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url))
const PATIENCE_MS = 120_000

/** Starts a file; its first message is what `answer` gives first. It can call `gc()`. */
export const start = (file: URL, ...args: string[]): ChildProcess =>
  fork(JITI, [fileURLToPath(file), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  })

/** The next message of a child. Rejects where it ends first, or takes two minutes. */
export async function answer<T>(child: ChildProcess): Promise<T> {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(PATIENCE_MS)])
  const ended = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new Error(`the process ended by itself: ${by ?? code}`)
  })
  try {
    const [value] = (await Promise.race([once(child, 'message', { signal }), ended])) as [T]
    return value
  } finally {
    stop.abort()
    ended.catch(() => undefined)
  }
}

/** Sends a question, and gives its answer. */
export function ask<T>(child: ChildProcess, question: object): Promise<T> {
  const answered = answer<T>(child)
  child.send(question)
  return answered
}
