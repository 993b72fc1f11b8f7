/** Members that are connected before a storm: each calls at a fixed rate, whatever the answers take, and listens in a room. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { hello, now, PATH } from './contract.js'

/** Milliseconds of one phase. A call is measured from when it was due: who waits for the server does not wait uncounted. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly most: number
  readonly count: number
}

/** What the members saw in a phase. */
export interface Seen {
  /** From when a call was due to its ack. */
  readonly calls: Latency
  /** From publish to receipt. */
  readonly publications: Latency
  /** Calls that were made and have no ack. */
  readonly unanswered: number
  /** Milliseconds from the start of the phase until a call had first waited for `LATE_MS`. */
  readonly firstLate: number | undefined
}

/** What is late: the default of `maxLag`. */
export const LATE_MS = 300

/** Milliseconds that the last calls of a phase may take. */
const PATIENCE_MS = 30_000
/** Milliseconds between two looks at what is due. */
const EVERY_MS = 2

/** All of them. */
export class Members {
  readonly #sockets: WebSocket[] = []
  // By member and seq: when it was due.
  readonly #due = new Map<string, number>()
  #calls: number[] = []
  #publications: number[] = []
  #firstLate = Number.POSITIVE_INFINITY
  #seq = 0
  /** Connections that ended before `leave`. */
  lost = 0

  /** Lets so many in, in the room when it resolves. */
  async enter(port: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#sockets.push(await this.#join(port, i))
  }

  /** Calls at `rate` a second, all of them together, for so many milliseconds; resolves once all are answered, or time is up. */
  async call(rate: number, ms: number): Promise<Seen> {
    this.#calls = []
    this.#publications = []
    this.#firstLate = Number.POSITIVE_INFINITY
    const start = now()
    let made = 0
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const passed = now() - start
        for (; made < Math.min(rate * ms, rate * passed) / 1000; made++)
          this.#call(start + (made * 1000) / rate)
        if (passed < ms + PATIENCE_MS && (passed < ms || this.#due.size > 0)) return
        clearInterval(timer)
        resolve()
      }, EVERY_MS)
    })
    const unanswered = this.#due.size
    this.#due.clear()
    return {
      calls: summary(this.#calls),
      publications: summary(this.#publications),
      unanswered,
      firstLate: Number.isFinite(this.#firstLate) ? this.#firstLate - start : undefined,
    }
  }

  /** Ends all. */
  leave(): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners('close')
      socket.terminate()
    }
  }

  #call(due: number): void {
    const seq = ++this.#seq
    const index = seq % this.#sockets.length
    this.#due.set(`${index} ${seq}`, due)
    this.#sockets[index]?.send(JSON.stringify([2, seq, 'echo', { at: due }]))
  }

  async #join(port: number, index: number): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${PATH}`, ['ackord.v1.json'], {
      perMessageDeflate: false,
      headers: { authorization: `Bearer member-${index}.good` },
    })
    await once(socket, 'open')
    const joined = new Promise<void>((resolve) => {
      socket.on('close', () => this.lost++)
      socket.on('error', () => undefined)
      socket.on('message', (data) => {
        const [type, seq, , payload] = JSON.parse(String(data)) as [number, number, unknown, { at: number }]
        if (type === 22) resolve()
        else if (type === 23) this.#publications.push(now() - payload.at)
        else if (type === 18) this.#answered(`${index} ${seq}`)
      })
    })
    socket.send(hello(`member-${index}`))
    socket.send(JSON.stringify([6, 1, 'ticks', {}]))
    await joined
    return socket
  }

  #answered(call: string): void {
    const due = this.#due.get(call)
    if (due === undefined || !this.#due.delete(call)) return
    const took = now() - due
    this.#calls.push(took)
    if (took > LATE_MS) this.#firstLate = Math.min(this.#firstLate, due + LATE_MS)
  }
}

function summary(latencies: readonly number[]): Latency {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return { p50: at(0.5), p99: at(0.99), most: at(1), count: sorted.length }
}
