/** What a server may say on one connection, whatever it was told. Every breach is a fault. PROTOCOL.md. */
import { CLIENT_FRAMES, CLOSE, ERRORS, frameChecker, SERVER_FRAMES } from '../../contract/wire/index.js'
import { DECLARED } from './contract.js'

const check = frameChecker(SERVER_FRAMES)
const ERROR_CODES: Readonly<Record<string, { readonly by: string }>> = ERRORS
const SERVER_CLOSES: ReadonlySet<number> = new Set(
  Object.values(CLOSE).flatMap(({ code, by }) => (by === 'server' || by === 'both' ? [code] : [])),
)
const { WELCOME, ACK, FAIL, ITEM, EVENT, JOINED, PUBLICATION, LEFT } = SERVER_FRAMES

/** Follows one connection from both sides. */
export class Oracle {
  /** Seqs that were asked under, and how many answers each may still get. */
  readonly owed = new Map<number, number>()
  /** What the server asked last. */
  asked = 0
  welcomed = false
  readonly #credit = new Map<number, number>()
  readonly #rooms = new Map<string, number>()
  readonly #texts = new Map<number, string>()
  readonly #fault: (what: string) => void

  /** Tells `fault` of each breach. */
  constructor(fault: (what: string) => void) {
    this.#fault = fault
  }

  /** A frame was sent, or what may be read as one. */
  sent(frame: unknown): void {
    if (!Array.isArray(frame)) return
    const [type, seq, name, input] = frame
    if (typeof seq !== 'number') return
    if (type === CLIENT_FRAMES.CREDIT.type && typeof name === 'number' && name > 0)
      this.#credit.set(seq, (this.#credit.get(seq) ?? 0) + name)
    if (type !== CLIENT_FRAMES.CALL.type && type !== CLIENT_FRAMES.JOIN.type) return
    this.owed.set(seq, (this.owed.get(seq) ?? 0) + 1)
    if (name === 'echo' && this.owed.get(seq) === 1 && typeof input?.text === 'string')
      this.#texts.set(seq, input.text)
    else this.#texts.delete(seq)
  }

  /** A call of delivery `volatile` is never answered. */
  unanswered(seq: number): void {
    this.owed.delete(seq)
  }

  /** A message came. */
  received(frame: unknown): void {
    const verdict = check(frame)
    if (verdict !== 'ok' || !Array.isArray(frame)) {
      this.#fault(`no frame that a server sends: ${JSON.stringify(frame)?.slice(0, 200)}`)
      return
    }
    const [type, first, second] = frame
    if (type === WELCOME.type) {
      if (this.welcomed) this.#fault('WELCOME came twice')
      this.welcomed = true
    } else if (!this.welcomed) this.#fault(`frame ${type} came before WELCOME`)
    if (type === ACK.type || type === FAIL.type) this.#answered(first)
    if (type === ACK.type && this.#texts.get(first) !== undefined && second?.text !== this.#texts.get(first))
      this.#fault(`echo ${first} was answered with something else`)
    if (type === FAIL.type) this.#failed(second)
    if (type === ITEM.type) this.#item(first)
    if (type === EVENT.type && typeof frame[3] === 'number') {
      if (frame[3] <= this.asked) this.#fault(`ask ${frame[3]} came after ask ${this.asked}`)
      this.asked = frame[3]
    }
    if (type === JOINED.type) {
      if (first !== 0) this.#answered(first)
      this.#rooms.set(second, 0)
    }
    if (type === PUBLICATION.type) this.#published(first, frame[4])
    if (type === LEFT.type && !this.#rooms.delete(first))
      this.#fault(`LEFT for ${first}, which was not joined`)
  }

  #answered(seq: number): void {
    const owed = this.owed.get(seq) ?? 0
    if (owed === 0) this.#fault(`seq ${seq} was answered and not asked, or answered twice`)
    else if (owed === 1) this.owed.delete(seq)
    else this.owed.set(seq, owed - 1)
  }

  #failed(code: string): void {
    if (code === 'INTERNAL') this.#fault('a call failed with INTERNAL')
    if (ERROR_CODES[code]?.by !== 'server' && !DECLARED.has(code)) this.#fault(`FAIL with the code ${code}`)
  }

  #item(seq: number): void {
    const left = (this.#credit.get(seq) ?? 0) - 1
    if (!this.owed.has(seq)) this.#fault(`ITEM for ${seq}, which is no stream that runs`)
    if (left < 0) this.#fault(`ITEM for ${seq} without credit`)
    this.#credit.set(seq, left)
  }

  #published(key: string, offset: unknown): void {
    const last = this.#rooms.get(key)
    if (last === undefined) this.#fault(`PUBLICATION in ${key}, which was not joined`)
    else if (typeof offset === 'number') {
      if (offset <= last) this.#fault(`offset ${offset} in ${key} came after ${last}`)
      this.#rooms.set(key, offset)
    }
  }

  /** The server closed. `told`: the code that it was told to close with, which it may give back. */
  closed(code: number, told: number | undefined): void {
    if (!SERVER_CLOSES.has(code) && code !== told) this.#fault(`closed with ${code}, which no server sends`)
  }
}
