/** Calls with items: sent when somebody reads, and no faster than they read. PROTOCOL.md § Streams. */
import { createAlarm, wholeMs } from './alarm.js'
import { type Calls, type Outcome, type Pending, snapshot } from './calls.js'
import type { Answer } from './channel.js'
import type { Link } from './connection.js'
import { failed, refused } from './errors.js'
import type { Settings } from './settings.js'
import { whyUnsent } from './state.js'
import type { PlainCode, Stream, StreamCall, StreamOptions } from './types.js'

/** Items that may wait for their reader: the credit a stream starts with. It is given back in halves. */
const WINDOW = 16

type Step = IteratorResult<unknown, unknown>

/** Makes the contract's call `name`, a stream; `calls` are those it waits among. */
export type MakeStream = (
  link: Link,
  settings: Settings,
  calls: Calls,
  name: string,
) => StreamCall<unknown, unknown, unknown>

/** What treats calls with items. A descriptor that has any brings it along: the clients of other contracts carry nothing of it. */
export const stream: MakeStream = (link, { clock, codec, timeout: usual, report }, calls, name) => {
  function open(taken: unknown, { signal, timeout = usual }: StreamOptions): Stream<unknown, unknown> {
    const alarm = createAlarm(clock)
    const patience = wholeMs(timeout)
    const items: unknown[] = []
    const readers: { resolve(step: Step): void; reject(error: unknown): void }[] = []
    let isRead = false
    let begun = false
    // How it ended, and whether a reader was told.
    let outcome: Outcome | undefined
    let told = false
    let tell: (outcome: Outcome) => void
    const result = new Promise<Outcome>((resolve) => {
      tell = resolve
    })
    // On which connection it was sent, and there 0 while it is not in flight.
    let at = link.channel
    let seq = 0
    // Items that the server may send; and items that were read since it was last told.
    let credit = WINDOW
    let read = 0

    function settle(ended: Outcome): void {
      if (outcome) return
      outcome = ended
      calls.pending.delete(self)
      alarm.stop()
      signal?.removeEventListener('abort', cancel)
      if (seq) at.send([3, seq])
      tell(ended)
      serve()
    }
    const give = (code: PlainCode): void => settle(failed(name, code))
    const expire = (): void => give('TIMEOUT')
    const cancel = (): void => {
      items.length = 0
      give('CANCELLED')
    }

    function begin(): void {
      if (begun) return
      begun = true
      if (!signal?.aborted) link.need()
      const code = signal?.aborted ? 'CANCELLED' : calls.refusal('attempt')
      if (code) {
        give(code)
        return
      }
      calls.pending.add(self)
      signal?.addEventListener('abort', cancel)
      alarm.set(patience, expire)
      calls.flush()
    }

    /** Gives readers what is there for them. The server's time runs while one waits. */
    function serve(): void {
      while (readers.length && (items.length || outcome)) {
        const reader = readers.shift()
        if (items.length) {
          reader?.resolve({ done: false, value: items.shift() })
          if (++read * 2 === WINDOW && seq) {
            at.send([4, seq, read])
            credit += read
            read = 0
          }
        } else if (told || !outcome) reader?.resolve({ done: true, value: undefined })
        else {
          told = true
          if (outcome.ok) reader?.resolve({ done: true, value: outcome.value })
          else reader?.reject(outcome.error)
        }
      }
      if (!seq) return
      if (readers.length) alarm.set(patience, expire)
      else alarm.stop()
    }

    function answered(frame: Answer): void {
      // Given up: it keeps its place until its answer comes, as it does on the server.
      if (outcome) return
      if (frame[0] !== 20) {
        seq = 0
        settle(frame[0] === 19 ? refused(name, frame) : { ok: true, value: frame[2] })
      } else if (credit--) {
        items.push(frame[2])
        serve()
      } else {
        report(new TypeError(`${name}: the server sent more items than it was asked for`))
        cancel()
      }
    }

    const self: Pending = {
      number: 0,
      stream: true,
      entry: () => undefined,
      cancel,
      flush() {
        if (seq) return true
        const { channel } = link
        const given = channel.request((seq) => [2, seq, name, taken, patience], answered, true)
        if (given === 0) return false
        if (given < 0) give('TOO_LARGE')
        else {
          at = channel
          seq = given
          at.send([4, seq, WINDOW])
          serve()
        }
        return true
      },
      down(state, untouched, channel) {
        if (seq && at !== channel) return
        const code = seq && !untouched ? 'CONNECTION_LOST' : whyUnsent(state)
        seq = 0
        if (code) give(code)
      },
    }

    const next = (): Promise<Step> =>
      new Promise((resolve, reject) => {
        begin()
        readers.push({ resolve, reject })
        serve()
      })

    function once(): void {
      if (isRead) throw new TypeError(`${name}: a stream is read once`)
      isRead = true
    }

    async function drain(): Promise<void> {
      once()
      // How it fails is what `result` says.
      try {
        while (!(await next()).done);
      } catch {}
    }

    return {
      [Symbol.asyncIterator]() {
        once()
        return {
          next,
          async return() {
            told = begun = true
            cancel()
            return { done: true, value: undefined }
          },
        }
      },
      result() {
        if (!isRead) void drain()
        return result
      },
    }
  }

  return (input, options = {}) => open(snapshot(codec, name, input), options)
}
