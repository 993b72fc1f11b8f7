/** When somebody could not be asked: what tells it from a refusal, and a log that is written once per outage. */
import { constants } from 'node:os'
import type { Clock, Timer } from '../../contract/clock.js'
import type { Mount } from '../gateway/index.js'

/** How far `cause` is followed: an error may be its own. */
const MAX_CAUSES = 5

interface Failure {
  readonly statusCode?: unknown
  readonly syscall?: unknown
  readonly code?: unknown
  readonly name?: unknown
  readonly cause?: unknown
}

/** True for an error with a `statusCode` of 500 and above, of the system (a database away), a TimeoutError, or one caused by such. */
export function isOutage(error: unknown, causes = MAX_CAUSES): boolean {
  // An AggregateError of several addresses, and what fetch throws, carry no syscall of their own.
  const { statusCode, syscall, code, name, cause }: Failure = Object(error)
  if (typeof statusCode === 'number') return statusCode >= 500
  if (syscall !== undefined || name === 'TimeoutError') return true
  if (typeof code === 'string' && Object.hasOwn(constants.errno, code)) return true
  return cause !== undefined && causes > 0 && isOutage(cause, causes - 1)
}

/** Counts checks that could not be made, and logs the first and the end of each outage. */
export class Outages {
  readonly #mount: Mount
  readonly #what: string
  #away = false

  /** `what` is asked, for the log. */
  constructor(mount: Mount, what: string) {
    this.#mount = mount
    this.#what = what
  }

  failed(error: unknown): void {
    const { gateway, log, path } = this.#mount
    gateway.counters.unchecked++
    if (this.#away) return
    this.#away = true
    log.error(
      { err: error, path },
      `ackord: ${this.#what} could not be asked; what was granted stays for now`,
    )
  }

  /** It answered. */
  over(): void {
    if (!this.#away) return
    this.#away = false
    this.#mount.log.info({ path: this.#mount.path }, `ackord: ${this.#what} answers again`)
  }
}

/** What `work` comes to, or a TimeoutError after so many milliseconds; it is not begun where there are none. What comes later is dropped. */
export async function within<T>(
  clock: Clock,
  ms: number,
  work: () => T | PromiseLike<T>,
): Promise<Awaited<T>> {
  if (ms <= 0) throw tooLate()
  let timer: Timer | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimeout(() => reject(tooLate()), ms)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    if (timer !== undefined) clock.clearTimeout(timer)
  }
}

const tooLate = (): DOMException => new DOMException('no answer in time', 'TimeoutError')
