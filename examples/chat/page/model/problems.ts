/** What to tell a person when a call fails. */
import type { CallFailure } from 'ackord/client'

/** The errors of the calls this page makes: the declared ones, and the closed table. */
export type Problem = CallFailure<{ SLOW_DOWN: { readonly seconds: number } }>

/** Why, and what to do about it. */
export function explain(problem: Problem): string {
  switch (problem.code) {
    case 'SLOW_DOWN':
      return `Slow down: try again in ${problem.data.seconds} s`
    case 'INVALID_INPUT':
      return 'The server does not accept this text'
    case 'OUTCOME_UNKNOWN':
      return 'The connection broke on the way: it may have arrived'
    case 'QUEUE_FULL':
      return 'Too many messages wait already'
    case 'EXPIRED':
      return 'It waited too long for a connection'
    case 'OFFLINE':
    case 'CONNECTION_LOST':
      return 'There is no connection'
    case 'TIMEOUT':
      return 'The server did not answer in time'
    default:
      return `The server refused it (${problem.code})`
  }
}
