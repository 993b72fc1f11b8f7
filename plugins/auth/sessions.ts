/** The place of each session among all nodes: one connection has it, and the older one goes. docs/decisions/sessions.md. */
import type { Timer } from '../../contract/clock.js'
import { CLOSE } from '../../contract/wire/index.js'
import type { Cluster } from '../cluster/index.js'
import type { Claim, Connection, Mount, SessionPlaces } from '../gateway/index.js'
import { type RedisHub, RedisUnavailable, script } from '../redis/index.js'
import { entriesOf, type SessionEntry } from './session-entries.js'

const CLAIM = script('session-claim')
const RELEASE = script('session-release')
/** Milliseconds that the sessions of a user are kept: each is written again in every round. */
const KEEP_MS = 86_400_000
/** Milliseconds for another node to end the connection that had the place, and for one to say which it has. */
export const FENCE_MS = 1000
/** Milliseconds that a claim may be under way: connections so close to each other compare their ages themselves. */
const SLACK_MS = 3000
/** Milliseconds after which a place of a node that nobody knows is nobody's: a younger one may just have come. */
const UNKNOWN_MS = 30_000
/** Milliseconds between two steps of a round. */
const STEP_MS = 1000
/** Steps of a round: an hour. */
const STEPS = 3600
/** Steps of the round behind an outage. */
const QUICK_STEPS = 5
/** Claims of a round that are under way together. */
const AT_A_TIME = 16
/** Claims that failed and are made again in one step. */
const AGAIN = 100

interface Held {
  readonly connection: Connection
  /** The clock's time at which the connection began. */
  readonly began: number
  /** Had the place before, on another node. */
  previous: { readonly node: string; readonly order: number } | undefined
  /** What the script said of that; it says the same again. */
  said: string
  /** The same, until it is told that this one is open. */
  moved: Held['previous']
}

/** The sessions of one namespace, as this node holds them: one entry for each of its connections that said HELLO. */
export class Sessions implements SessionPlaces {
  readonly #mount: Mount
  readonly #hub: RedisHub
  readonly #cluster: Cluster
  // By `order`.
  readonly #held = new Map<number, Held>()
  // The round under way: whose place is still to be written again.
  #round: Held[] = []
  // Whose place could not be written: Redis may be there, and have no memory, say.
  readonly #unwritten = new Set<Held>()
  #steps = 0
  #isBusy = false
  #timer: Timer | undefined
  readonly #ends: ReadonlyArray<() => void>

  constructor(mount: Mount, hub: RedisHub, cluster: Cluster) {
    this.#mount = mount
    this.#hub = hub
    this.#cluster = cluster
    // What Redis lost, what could not be written, and who had the place meanwhile.
    this.#ends = [
      hub.onHealth((state) => state === 'up' && this.#hurry()),
      cluster.onGeneration(() => this.#hurry()),
    ]
  }

  async claim(connection: Connection): Promise<Claim> {
    const { clock, settings } = this.#mount
    const age = Math.min(Math.max(0, clock.wall() - connection.since), KEEP_MS)
    const held: Held = {
      connection,
      began: clock.now() - age,
      previous: undefined,
      said: '',
      moved: undefined,
    }
    this.#held.set(connection.order, held)
    this.#schedule()
    const claim = await this.#claim(held, settings.maxConnectionsPerUser)
    if (claim !== 'granted') this.#held.delete(connection.order)
    return claim
  }

  async replace({ order }: Connection): Promise<void> {
    const held = this.#held.get(order)
    if (held !== undefined) await this.#fence(held)
  }

  opened({ order }: Connection): void {
    const held = this.#held.get(order)
    if (held?.moved === undefined) return
    const { node, order: older } = held.moved
    held.moved = undefined
    this.#cluster.tell('auth.moved', [this.#mount.path, older], node)
  }

  release({ order }: Connection): void {
    const held = this.#held.get(order)
    if (held === undefined) return
    this.#held.delete(order)
    this.#unwritten.delete(held)
    this.#giveBack(held)
  }

  /** Ends the rounds. */
  stop(): void {
    this.#held.clear()
    this.#unwritten.clear()
    for (const end of this.#ends) end()
    if (this.#timer !== undefined) this.#mount.clock.clearTimeout(this.#timer)
  }

  /** Another node has the place of a connection of this one by one that is `age` ms old: ends this one, or says that it is the younger. */
  onFence(order: number, age: number): 'gone' | 'younger' {
    const held = this.#held.get(order)
    if (held === undefined) return 'gone'
    if (this.#ageOf(held) < age) {
      void this.#renew(held)
      return 'younger'
    }
    fenced(held.connection)
    return 'gone'
  }

  /** The client of a connection that was told to go has opened its next one. */
  onMoved(order: number): void {
    const connection = this.#held.get(order)?.connection
    if (connection?.isMoving) connection.isReplaced = true
  }

  /** Which of these connections are not on this node. */
  missing(orders: readonly number[]): number[] {
    return orders.filter((order) => !this.#held.has(order))
  }

  #ageOf({ began }: Held): number {
    return this.#mount.clock.now() - began
  }

  // Without Redis this node's own connections decide. `most`: 0 where it is in already.
  async #claim(held: Held, most: number): Promise<Claim> {
    try {
      const [claim, ...detail] = await this.#ask(held, most, [])
      if (claim !== 'full') return this.#settle(held, claim, detail)
      const stale = await this.#stale(entriesOf(detail))
      if (stale.length === 0) return 'full'
      const dropped = stale.flatMap(({ session, text }) => [session, text])
      const [again, ...more] = await this.#ask(held, most, dropped)
      return again === 'full' ? 'full' : this.#settle(held, again, more)
    } catch (error) {
      if (!(error instanceof RedisUnavailable))
        this.#mount.log.error({ err: error }, 'ackord: a session could not be claimed')
      if (this.#held.get(held.connection.order) === held) this.#unwritten.add(held)
      return 'granted'
    }
  }

  async #ask(held: Held, most: number, dropped: readonly string[]): Promise<readonly string[]> {
    const { connection } = held
    const place = [connection.session, this.#cluster.node, connection.order]
    const values = [...place, Math.round(this.#ageOf(held)), most, KEEP_MS, SLACK_MS, ...dropped]
    const reply = await this.#hub.run(CLAIM, [this.#key(connection)], values)
    return Array.isArray(reply) ? reply.map(String) : []
  }

  #settle(held: Held, claim: string | undefined, [previous = '']: readonly string[]): Claim {
    if (claim === 'fenced') return 'fenced'
    const [node = '', order] = previous.split(' ')
    if (previous !== held.said && node !== '') held.previous = { node, order: Number(order) }
    if (node !== '') held.said = previous
    // It ended while it was being written.
    if (this.#held.get(held.connection.order) !== held) this.#giveBack(held)
    return 'granted'
  }

  // Where it fails, the place is dropped when its user has no room for another one, or expires.
  #giveBack({ connection }: Held): void {
    const place = [connection.session, this.#cluster.node, connection.order]
    this.#hub.run(RELEASE, [this.#key(connection)], place).catch((error: unknown) => {
      this.#mount.log.debug({ err: error }, 'ackord: the place of a session could not be given back')
    })
  }

  async #fence(held: Held): Promise<void> {
    const { previous, connection } = held
    if (previous === undefined) return
    held.previous = undefined
    held.moved = previous
    const body = [this.#mount.path, previous.order, this.#ageOf(held)]
    const options = { timeout: FENCE_MS, nodes: [previous.node] }
    for await (const answer of this.#cluster.ask('auth.fence', body, options)) {
      if (answer.lost === undefined) {
        if (answer.value === 'younger') {
          held.moved = undefined
          fenced(connection)
        }
        continue
      }
      // It may live all the same, and be told. At a timeout it was: it reads that when it can.
      if (answer.lost !== 'timeout') this.#cluster.tell('auth.fence', body, answer.node)
      // Whether that left is not known: once more when the place is written again.
      if (answer.lost === 'unavailable') held.previous ??= previous
    }
    if (connection.phase === 'open') this.opened(connection)
  }

  // Of connections that are no more, or whose node is not: what a crash left, or could not be given back.
  async #stale(entries: readonly SessionEntry[]): Promise<SessionEntry[]> {
    const { node: own } = this.#cluster
    const stale: SessionEntry[] = []
    const asked: Record<string, number[]> = {}
    for (const entry of entries) {
      const { node, order, age } = entry
      if (node === own) {
        if (!this.#held.has(order)) stale.push(entry)
      } else if (this.#cluster.isAlive(node)) {
        asked[node] ??= []
        asked[node].push(order)
      } else if (age > UNKNOWN_MS) stale.push(entry)
    }
    const nodes = Object.keys(asked)
    if (nodes.length === 0) return stale
    const body = [this.#mount.path, asked]
    for await (const answer of this.#cluster.ask('auth.missing', body, { timeout: FENCE_MS, nodes })) {
      const value = answer.lost === undefined ? answer.value : undefined
      const missing = new Set<unknown>(Array.isArray(value) ? value : [])
      stale.push(...entries.filter(({ node, order }) => node === answer.node && missing.has(order)))
    }
    return stale
  }

  // Rejects never.
  async #renew(held: Held): Promise<void> {
    const claim = await this.#claim(held, 0)
    if (claim === 'fenced') fenced(held.connection)
    else await this.#fence(held)
  }

  #hurry(): void {
    if (this.#held.size === 0) return
    this.#round = [...this.#held.values()]
    this.#unwritten.clear()
    this.#steps = QUICK_STEPS
    this.#schedule()
  }

  #schedule(): void {
    this.#timer ??= this.#mount.clock.setTimeout(this.#step, STEP_MS)
  }

  readonly #step = (): void => {
    this.#timer = undefined
    if (this.#held.size === 0) return
    this.#schedule()
    if (this.#isBusy || !this.#hub.canRun) return
    this.#isBusy = true
    void this.#renewAll(this.#due()).finally(() => {
      this.#isBusy = false
    })
  }

  #due(): Held[] {
    const again = [...this.#unwritten].slice(0, AGAIN)
    for (const held of again) this.#unwritten.delete(held)
    if (this.#steps === 0) {
      this.#steps = STEPS
      this.#round = [...this.#held.values()]
    }
    return [...again, ...this.#round.splice(0, Math.ceil(this.#round.length / this.#steps--))]
  }

  async #renewAll(due: readonly Held[]): Promise<void> {
    // All take from one iterator: who is done with one goes on with the next.
    const rest = due.values()
    const renewOneByOne = async (): Promise<void> => {
      for (const held of rest) if (this.#held.get(held.connection.order) === held) await this.#renew(held)
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, renewOneByOne))
  }

  #key({ user }: Connection): string {
    return `${this.#hub.prefix}:{${this.#mount.path} ${user.id}}:sessions`
  }
}

// One that was told to go leaves by itself when nothing of it is in flight, and its node ends it in time. Until the next one is open
// its client hears nothing else: see `onMoved`.
function fenced(connection: Connection): void {
  if (!connection.isMoving) connection.close(CLOSE.FENCED)
}
