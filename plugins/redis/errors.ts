/** What a failed command means for who asked, and for the others. */

/**
 * Redis cannot be asked now, or did not answer in time. Whether a command that was under way has run is not known. It may be tried
 * again when the hub is up.
 */
export class RedisUnavailable extends Error {
  readonly code = 'UNAVAILABLE'
  constructor(reason: string, options?: ErrorOptions) {
    super(`Redis is unavailable: ${reason}`, options)
    this.name = 'RedisUnavailable'
  }
}

// The server answers, and would refuse whatever comes next as well.
const AWAY = [
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'NOAUTH',
  'NOREPLICAS',
  'READONLY',
  'WRONGPASS',
]
// It refuses this command for now, and may take another.
const REFUSED = ['ASK', 'MOVED', 'NOPERM', 'OOM', 'TRYAGAIN']

/**
 * `away`: nothing can be asked for now. `refused`: this could not be done now, something else might. `reply`: the answer of a script or a
 * command that is wrong.
 */
export function meaningOf(error: unknown): 'away' | 'refused' | 'reply' {
  if (!isReply(error)) return 'away'
  const [code = ''] = error.message.split(' ', 1)
  if (AWAY.includes(code)) return 'away'
  if (REFUSED.includes(code) || error.message.includes('Script killed by user')) return 'refused'
  return 'reply'
}

/** Whether the client is kept out by its own settings: nothing but a change of them helps. */
export const isKeptOut = (error: unknown): boolean =>
  error instanceof Error && /^(NOAUTH|NOPERM|WRONGPASS)\b/.test(error.message)

/** What is written about an error of any kind. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

// By its name: there is a class for each copy of a client.
const isReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError'
