/**
 * One room's publications on this node: what its channel says, and from its log whatever the channel did not say. The channel is a hint, the
 * log is the truth. docs/decisions/room-log.md.
 */
import type { Clock } from '../../../contract/clock.js'
import type { GapReason, Publication, RoomLog, Subscriber } from '../broker.js'
import { Cursor, type Place, samePlace } from './cursor.js'
import type { Live } from './live.js'
import type { RedisLog } from './log.js'

/** Live messages held while the log is read. Beyond, they are dropped: the log has them. */
const HELD_MESSAGES = 1000
/** Bytes of them. */
const HELD_BYTES = 1_048_576
/** Times the log is read again because the channel says more than it. What does not fit then is of no history that lasts. */
const MAX_FILLS = 3
/** Milliseconds that a snapshot waits for the channel to come as far, before the log is asked. */
const REACH_MS = 100

/** What a feed needs of its broker. */
export interface FeedHost {
  readonly clock: Clock
  readonly log: Pick<RedisLog, 'head' | 'read' | 'after' | 'latestSince'>
  /** Subscribes to the live channel of a room. Rejects while Redis is away. */
  subscribe(room: string, listener: (live: Live, bytes: number) => void): Promise<() => void>
  /** Text that no other call returns, anywhere: for an epoch. */
  readonly randomId: () => string
  /** Told what a subscriber threw. */
  readonly onError: (error: unknown, room: string) => void
}

interface Subscription {
  subscriber: Subscriber | undefined
}

interface Waiter extends Place {
  resolve(): void
  reject(error: unknown): void
}

/** The subscription of one room, shared by all who are subscribed on this node. Made for the first, stopped with the last. */
export class RoomFeed {
  readonly room: string
  /** Something came that the log has too: this sweep need not look. */
  heard = true
  /** The log could not be read when it had to be: it has to be again. */
  behind = false
  readonly #log: RoomLog
  readonly #host: FeedHost
  // Replaced, never changed: a delivery goes on with the array it began with.
  #subscriptions: readonly Subscription[] = []
  readonly #cursor = new Cursor()
  readonly #started: Promise<void>
  #end: (() => void) | undefined
  #stopped = false
  // While the log is read.
  #healing: Promise<void> | undefined
  #held: Live[] | undefined = []
  #heldBytes = 0
  readonly #waiters = new Set<Waiter>()

  constructor(room: string, log: RoomLog, host: FeedHost) {
    this.room = room
    this.#log = log
    this.#host = host
    this.#started = this.#start()
  }

  /** Resolves once it is live; rejects where Redis is away. Then it is of no use any more. */
  get started(): Promise<void> {
    return this.#started
  }

  /** Adds a subscriber; returns what removes it, and says whether it was the last. Safe to repeat. */
  add(subscriber: Subscriber): () => boolean {
    const subscription: Subscription = { subscriber }
    this.#subscriptions = [...this.#subscriptions, subscription]
    return () => {
      subscription.subscriber = undefined
      this.#subscriptions = this.#subscriptions.filter((other) => other !== subscription)
      return this.#subscriptions.length === 0
    }
  }

  /** Nothing is delivered from now on. Safe to repeat. */
  stop(): void {
    this.#stopped = true
    for (const subscription of this.#subscriptions) subscription.subscriber = undefined
    this.#subscriptions = []
    this.#held = undefined
    for (const waiter of this.#waiters) waiter.resolve()
    this.#waiters.clear()
    this.#end?.()
    this.#end = undefined
  }

  /** Hands publications to the subscribers of this node only: volatile ones while Redis is away. */
  deliver(publications: readonly Publication[]): void {
    if (publications.length === 0) return
    this.#tell((subscriber) => subscriber.deliver(publications))
  }

  // Subscribed first, read then: what is published between the two is held.
  async #start(): Promise<void> {
    const { log, randomId } = this.#host
    const end = await this.#host.subscribe(this.room, this.#receive)
    if (this.#stopped) {
      end()
      return
    }
    this.#end = end
    try {
      this.#cursor.goTo(await log.head(this.room, this.#log, randomId()))
    } catch (error) {
      this.stop()
      throw error
    }
    if (this.#takeHeld()) this.#held = undefined
    else void this.heal().catch(() => undefined)
  }

  readonly #receive = (live: Live, bytes: number): void => {
    if (this.#stopped) return
    if (this.#held !== undefined) this.#hold(live, bytes)
    else if (!this.#take(live)) {
      this.#held = []
      this.#hold(live, bytes)
      // What fails leaves it behind, and the sweep tries again.
      this.heal().catch(() => undefined)
    }
  }

  #hold(live: Live, bytes: number): void {
    this.#heldBytes += bytes
    if (this.#held === undefined) return
    if (this.#held.length < HELD_MESSAGES && this.#heldBytes <= HELD_BYTES) this.#held.push(live)
  }

  /** Delivers what follows of a live message. False where something is missing before it, or it is of another history. */
  #take(live: Live): boolean {
    const fitting = this.#cursor.take(live)
    if (fitting === undefined) return false
    if (live.epoch !== undefined) this.heard = true
    this.deliver(fitting)
    this.#settle()
    return true
  }

  // False where one of the held does not fit: then it and all behind it are still held.
  #takeHeld(): boolean {
    const held = this.#held
    if (held === undefined) return true
    const overrun = this.#heldBytes > HELD_BYTES || held.length === HELD_MESSAGES
    this.#heldBytes = 0
    while (held[0] !== undefined) {
      if (!this.#cursor.isBehind(held[0]) && !this.#take(held[0])) return false
      held.shift()
    }
    return !overrun
  }

  /**
   * Reads from the log what was missed, and delivers it; where the log does not go on from what was delivered, restarts the
   * subscribers. Rejects where the log cannot be read, and then is `behind`. Shared by all who call meanwhile.
   */
  async heal(): Promise<void> {
    if (this.#stopped) return
    this.#healing ??= this.#heal()
    await this.#healing
  }

  async #heal(): Promise<void> {
    this.#held ??= []
    try {
      let isWhole = false
      for (let fills = 0; fills < MAX_FILLS && !isWhole && !this.#stopped; fills++) {
        await this.#fill()
        isWhole = this.#takeHeld()
      }
      // With what did not fit goes what was behind it, which the log may have got since.
      this.behind = !isWhole
      this.heard = true
      this.#settle()
    } catch (error) {
      this.behind = true
      for (const waiter of this.#waiters) waiter.reject(error)
      this.#waiters.clear()
      throw error
    } finally {
      this.#held = undefined
      this.#heldBytes = 0
      this.#healing = undefined
    }
  }

  async #fill(): Promise<void> {
    const { log, randomId } = this.#host
    for (let more = this.#cursor.position !== undefined; more; ) {
      if (this.#cursor.position === undefined) break
      const page = await log.after(this.room, this.#log, this.#cursor.position, randomId())
      if (this.#stopped) return
      if (page.gap !== undefined) {
        await this.#restart(page.gap)
        return
      }
      more = page.more
      this.#cursor.position = (more ? page.publications.at(-1)?.position : page.head) ?? page.head
      this.deliver(page.publications)
    }
    const { version, publications } = await log.latestSince(this.room, this.#cursor.version)
    this.#cursor.version = version
    this.deliver(publications)
  }

  async #restart(gap: GapReason): Promise<void> {
    const { log, randomId } = this.#host
    const from = { session: NOBODY }
    const snapshot = await log.read(this.room, this.#log, from, randomId())
    this.#cursor.goTo(snapshot)
    this.#tell((subscriber) => subscriber.restart(snapshot.position, gap))
    this.deliver(snapshot.latest)
    // Whatever they have read is void.
    for (const waiter of this.#waiters) waiter.resolve()
    this.#waiters.clear()
  }

  /**
   * Whether the log still ends where this feed does; heals it where not. Also keeps the log from expiring. Rejects where the log cannot
   * be read, and then is `behind`.
   */
  async check(): Promise<void> {
    if (this.#stopped || this.#held !== undefined) return
    const before = this.#cursor.position
    try {
      const head = await this.#host.log.head(this.room, this.#log, this.#host.randomId())
      // It may have been delivered meanwhile.
      const isSame = samePlace(head.position, before) || samePlace(head.position, this.#cursor.position)
      if (isSame && head.version <= this.#cursor.version) {
        this.behind = false
        return
      }
    } catch (error) {
      this.behind = true
      throw error
    }
    await this.heal()
  }

  /**
   * Resolves when everything up to a snapshot has been delivered, or the subscribers were restarted: what is delivered then is behind
   * that snapshot. Rejects where the log cannot be read.
   */
  async reach(reach: Place): Promise<void> {
    await this.#started
    if (this.#stopped || this.#cursor.hasReached(reach)) return
    const { clock } = this.#host
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimeout(
        () => void this.#late(waiter),
        reach.position?.epoch === this.#cursor.position?.epoch ? REACH_MS : 0,
      )
      const waiter: Waiter = {
        ...reach,
        resolve: () => {
          clock.clearTimeout(timer)
          resolve()
        },
        reject: (error) => {
          clock.clearTimeout(timer)
          reject(error)
        },
      }
      this.#waiters.add(waiter)
    })
  }

  // The channel did not come as far. A look that was under way may have come too early for this snapshot, the next one has not.
  async #late(waiter: Waiter): Promise<void> {
    try {
      if (this.#healing !== undefined) await this.#healing
      if (this.#waiters.has(waiter)) await this.heal()
      if (this.#waiters.delete(waiter)) waiter.resolve()
    } catch (error) {
      if (this.#waiters.delete(waiter)) waiter.reject(error)
    }
  }

  #settle(): void {
    for (const waiter of this.#waiters) {
      if (!this.#cursor.hasReached(waiter)) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #tell(say: (subscriber: Subscriber) => void): void {
    for (const subscription of this.#subscriptions) {
      try {
        if (subscription.subscriber !== undefined) say(subscription.subscriber)
      } catch (error) {
        this.#host.onError(error, this.room)
      }
    }
  }
}

// No session is empty: nothing is left out for it.
const NOBODY = ''
