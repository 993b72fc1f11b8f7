/** Calls by their delivery: sent, queued, sent again, and always settled. PROTOCOL.md § Calls. */
import type { Codec } from '../contract/wire/codec.js'
import type { FrameOf } from '../contract/wire/frames.js'
import { createAlarm, wholeMs } from './alarm.js'
import { delayOf } from './backoff.js'
import type { Channel } from './channel.js'
import type { Link } from './connection.js'
import { type Failed, Failure, failed, refused } from './errors.js'
import { createId } from './host.js'
import type { Settings } from './settings.js'
import { isClosed, type State, whyUnsent } from './state.js'
import type { Call, CallDelivery, CallOptions, OutboxEntry, PlainCode, VolatileCall } from './types.js'

/** After so many refusals a queued call is not sent again by itself. `UNAVAILABLE` of a server that is degraded is none of them. */
const MAX_REFUSALS = 8

/** How a call ended. */
export type Outcome = Failed | { readonly ok: true; readonly value: unknown }

/** A call that has not settled. */
export interface Pending {
  /** Its operation's number, for 'once'; else 0. */
  readonly number: number
  /** As the outbox shows it; `undefined` for a call that is not queued. */
  entry(): OutboxEntry | undefined
  cancel(): void
  /** Whether it takes no room from the others, and waits with none of them. */
  readonly stream: boolean
  /** Sends it if it is its turn. False where the connection has no room for it, nor for any of its kind after it. */
  flush(): boolean
  /** What it was `UNAVAILABLE` for may be back: it waits for that no longer. Sends nothing. */
  retry?(): void
  down(state: State, untouched: boolean, channel: Channel): void
}

/** The calls of a client. */
export interface Calls {
  /** What the contract's call `name` becomes. */
  create(name: string, delivery: CallDelivery): Call<unknown, unknown> | VolatileCall<unknown>
  /** Those that have not settled, in the order they were made. */
  readonly pending: Set<Pending>
  /** Why no call can be made now. */
  refusal(delivery: CallDelivery): PlainCode | undefined
  flush(): void
  /** What was `UNAVAILABLE` may be back: sends what waits for that, in order. */
  retry(): void
  down(state: State, untouched: boolean, channel: Channel): void
}

/** What is sent is what the input was when it was called. Throws what the codec cannot carry or a server would close for. */
export const snapshot = (codec: Codec, name: string, input: unknown): unknown =>
  (codec.parse(codec.encode([2, 1, name, input ?? null])) as FrameOf<'CALL'>)[3]

/** `changed` is told whenever the outbox looks different. */
export function createCalls(link: Link, settings: Settings, changed: () => void): Calls {
  const { clock, codec, random, rules, report } = settings
  const pending = new Set<Pending>()
  let producer = ''
  let ids = 0
  let numbers = 0
  // Calls of delivery 'once' leave in the order they were made: while one has to wait, those behind it wait too. Only those
  // in flight already, when the server refuses one before them, run before it.
  let blocked = false

  function flush(): void {
    blocked = false
    let full = false
    for (const call of pending) {
      if ((!full || call.stream) && !call.flush()) full = true
    }
  }

  /** The lowest number of an operation that has not settled. */
  function low(): number {
    for (const { number } of pending) if (number) return number
    return 0
  }

  function refusal(delivery: CallDelivery): PlainCode | undefined {
    const code = whyUnsent(link.get())
    if (code && (delivery === 'attempt' || code !== 'OFFLINE')) return code
    return pending.size >= settings.entries ? 'QUEUE_FULL' : undefined
  }

  function start(
    name: string,
    delivery: CallDelivery,
    taken: unknown,
    { signal, timeout = settings.timeout, ttl = settings.ttl }: CallOptions,
    resolve: (outcome: Outcome) => void,
  ): void {
    if (!signal?.aborted) link.need()
    const code = signal?.aborted ? 'CANCELLED' : refusal(delivery)
    if (code) {
      resolve(failed(name, code))
      return
    }

    const once = delivery === 'once'
    const queued = delivery !== 'attempt'
    const id = String(++ids)
    const number = once ? ++numbers : 0
    producer ||= createId(random)
    const at = clock.wall()
    const patience = wholeMs(queued ? ttl : timeout)
    const expires = clock.now() + patience
    const deadline = wholeMs(timeout)
    const alarm = createAlarm(clock)
    // On which connection it was sent, and there 0 while it is not in flight.
    let home = link.channel
    let seq = 0
    // Whether it may have run; and whether it already might have when it was sent last.
    let sent = false
    let sentBefore = false
    // The code of the refusal that asked to wait.
    let held: string | undefined
    let refusals = 0
    let tries = 0

    function settle(outcome: Outcome): void {
      if (!pending.delete(self)) return
      alarm.stop()
      signal?.removeEventListener('abort', cancel)
      if (seq) home.send([3, seq])
      resolve(outcome)
      changed()
    }
    const give = (code: PlainCode): void => settle(failed(name, code))
    const cancel = (): void => give('CANCELLED')
    // The truth about a call of delivery 'once' that may have run is that nobody knows.
    const giveUp = (code: PlainCode): void => give(once && sent ? 'OUTCOME_UNKNOWN' : code)
    const expire = (): void => (queued ? giveUp('EXPIRED') : give('TIMEOUT'))
    const wait = (): void => alarm.set(expires - clock.now(), expire)

    function refuse(frame: FrameOf<'FAIL'>): void {
      const outcome = refused(name, frame)
      const { code, retry, retryAfter = delayOf(rules, tries++, random()) } = outcome.error
      // The server says itself that it cannot now, and will say when it can: that may be before the next try.
      const told = code === 'UNAVAILABLE' && link.get().degraded
      const late = clock.now() + retryAfter >= expires
      // Of those that may be repeated, one that took too long would take as long again.
      const again = queued && retry && code !== 'TIMEOUT' && (told || (++refusals < MAX_REFUSALS && !late))
      if (!again) {
        settle(outcome)
        return
      }
      held = code
      if (late) wait()
      else {
        alarm.set(retryAfter, () => {
          release()
          flush()
        })
      }
      changed()
    }

    function release(): void {
      held = undefined
      wait()
    }

    const self: Pending = {
      number,
      stream: false,
      entry: () => (queued ? { id, call: name, input: taken, at, sent: seq !== 0 } : undefined),
      cancel,
      flush() {
        if (seq) {
          // Still on the connection that the server asked to leave: one that follows it must not run before it.
          blocked ||= once && home !== link.channel
          return true
        }
        if (once && sent && link.channel.ledger === false) {
          give('OUTCOME_UNKNOWN')
          return true
        }
        // Before WELCOME nobody knows whether an operation may be repeated.
        if (held || (once && (blocked || (sent && !link.channel.ledger)))) {
          blocked ||= once
          return true
        }
        const { channel } = link
        const given = channel.request(
          (seq) => [2, seq, name, taken, deadline, once ? [producer, number, low(), sent] : null],
          (answer) => {
            // A call that was given up keeps its place in flight until its answer comes, as it does on the server.
            if (!pending.has(self)) return
            seq = 0
            // An answer settles it on the server: what is unknown is what it was before it was sent this time.
            sent = sentBefore
            if (answer[0] === 19) refuse(answer)
            else settle({ ok: true, value: answer[2] })
          },
        )
        if (given === 0) return false
        if (given < 0) give('TOO_LARGE')
        else {
          home = channel
          seq = given
          sentBefore = sent
          sent = true
          alarm.set(deadline, () => give('TIMEOUT'))
          changed()
        }
        return true
      },
      retry() {
        if (held !== 'UNAVAILABLE') return
        tries = 0
        release()
      },
      down(state, untouched, channel) {
        const begun = seq !== 0
        if (begun && home !== channel) return
        const inFlight = begun && !untouched
        if (begun && untouched) sent = sentBefore
        seq = 0
        const code = inFlight ? 'CONNECTION_LOST' : whyUnsent(state)
        if (code && (!queued || isClosed(state))) giveUp(code)
        else if (inFlight && once && link.channel.ledger === false) give('OUTCOME_UNKNOWN')
        else if (begun) {
          wait()
          changed()
        }
      },
    }
    pending.add(self)
    signal?.addEventListener('abort', cancel)
    alarm.set(patience, expire)
    flush()
    changed()
  }

  return {
    create(name, delivery) {
      if (delivery === 'volatile') {
        return (input: unknown): void => {
          link.need()
          if (!link.channel.cast(name, input)) report(new Failure(name, 'TOO_LARGE', null))
        }
      }
      const result = (input: unknown, options: CallOptions = {}): Promise<Outcome> =>
        new Promise((resolve) => start(name, delivery, snapshot(codec, name, input), options, resolve))
      const call = async (input: unknown, options?: CallOptions): Promise<unknown> => {
        const outcome = await result(input, options)
        if (outcome.ok) return outcome.value
        throw outcome.error
      }
      return Object.assign(call, { result })
    },
    pending,
    refusal,
    flush,
    retry() {
      for (const call of pending) call.retry?.()
      flush()
    },
    down(state, untouched, channel) {
      for (const call of pending) call.down(state, untouched, channel)
    },
  }
}
