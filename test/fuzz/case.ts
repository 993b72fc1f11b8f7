/** One case of a run: all it does follows from the seed of the run and its number. */
import { inspect } from 'node:util'
import { Dice } from './dice.js'
import type { Peer } from './peer.js'

/** How many of the last things that were sent a fault shows. */
const SHOWN = 3

/** What a run counts. */
export interface Counts {
  frames: number
  handshakes: number
  /** How connections ended, by the server's close code; `none` where it had no reason to say one. */
  readonly closes: Record<string, number>
  /** Answers to upgrades and requests, by status. */
  readonly answers: Record<string, number>
}

/** A breach, and how to see it again. */
export interface Fault {
  readonly what: string
  /** For `--seed` and `--case`. */
  readonly seed: number
  readonly case: number
  /** What was sent last. */
  readonly sent: readonly string[]
}

/** A case under way. */
export class Case {
  readonly number: number
  readonly port: number
  readonly dice: Dice
  readonly #seed: number
  readonly #counts: Counts
  readonly #tell: (fault: Fault) => void
  readonly #sent: unknown[] = []

  constructor(seed: number, number: number, port: number, counts: Counts, tell: (fault: Fault) => void) {
    this.number = number
    this.port = port
    this.dice = new Dice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b))
    this.#seed = seed
    this.#counts = counts
    this.#tell = tell
  }

  /** Tells a breach. */
  readonly fault = (what: string): void => {
    const sent = this.#sent.map((one) =>
      inspect(one, {
        depth: 4,
        breakLength: Number.POSITIVE_INFINITY,
        maxStringLength: 600,
        maxArrayLength: 20,
      }),
    )
    this.#tell({ what, seed: this.#seed, case: this.number, sent })
  }

  /** Counts a frame, and keeps it in mind for a fault. Gives it back. */
  note<T>(frame: T): T {
    this.#counts.frames++
    this.#sent.push(frame)
    if (this.#sent.length > SHOWN) this.#sent.shift()
    return frame
  }

  /** Counts a handshake, and keeps it in mind. */
  handshake(head: string): void {
    this.#counts.handshakes++
    this.#sent.push(head.slice(0, 500))
  }

  /** Counts how a connection ended. */
  closed(peer: Peer): void {
    const { closes, answers } = this.#counts
    for (const { status } of peer.answers) answers[status] = (answers[status] ?? 0) + 1
    if (!peer.open) return
    const code = peer.code ?? 'none'
    closes[code] = (closes[code] ?? 0) + 1
  }
}
