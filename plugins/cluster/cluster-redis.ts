/** The cluster of nodes that share a Redis: leases in a hash, messages by publish and subscribe. docs/decisions/cluster.md. */
import type { Timer } from '../../contract/clock.js'
import { type RedisHub, script } from '../redis/index.js'
import { Bus } from './bus.js'
import {
  BEAT_MS,
  type Cluster,
  type ClusterAnswer,
  type ClusterAskOptions,
  type ClusterHandler,
  type ClusterNode,
  LOST_MS,
  type NodeEvent,
} from './cluster.js'
import type { ClusterHost } from './cluster-memory.js'
import { Handlers } from './handlers.js'
import { leasesOf, leaseText } from './lease-text.js'
import { Leases } from './leases.js'
import { busChannel, encodeMessage } from './messages.js'

const BEAT = script('lease-beat')
const DROP = script('lease-drop')
/** Milliseconds that the leases of an app outlive its last node: who comes back meanwhile clears what a node that died has left. */
const KEEP_MS = 7 * 86_400_000
/** Milliseconds between two signs of life at the least, however long one took. */
const LEAST_MS = 500
/**
 * Milliseconds without a sign of life that is known to have arrived, after which this node takes a new generation: so much less than
 * `LOST_MS` that nobody writes it off first, though the next one takes its 2,000 ms.
 */
const GIVE_UP_MS = LOST_MS - 3000
/** Milliseconds for good-byes. */
const BYE_MS = 1000

/** What it needs of the hub. */
export type ClusterHub = Pick<
  RedisHub,
  'prefix' | 'isUp' | 'onHealth' | 'run' | 'command' | 'publish' | 'subscribe'
>

/** See `Cluster`. */
export class RedisCluster implements Cluster {
  readonly node: string
  readonly #host: ClusterHost
  readonly #hub: ClusterHub
  readonly #handlers: Handlers
  readonly #bus: Bus
  readonly #leases: Leases
  readonly #key: string
  readonly #onNode = new Set<(event: NodeEvent, node: string) => void | Promise<void>>()
  readonly #onGeneration = new Set<(generation: number) => void>()
  // Channels that are not subscribed yet: none, once it has started with Redis there.
  readonly #unsubscribed: Set<string>
  // Lost nodes whose listeners have not settled.
  readonly #clearing = new Set<string>()
  readonly #endHealth: () => void
  #generation = 1
  #counter = 0
  // When the last sign of life was sent that is known to have arrived.
  #confirmed: number | undefined
  #hasRisen = false
  #beating: Promise<void> | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(host: ClusterHost, hub: ClusterHub) {
    this.#host = host
    this.#hub = hub
    this.node = host.node
    this.#key = `${hub.prefix}:{nodes}`
    this.#leases = new Leases(host.node)
    this.#handlers = new Handlers(host.onError)
    this.#unsubscribed = new Set([this.#channel(undefined), this.#channel(this.node)])
    this.#bus = new Bus({
      node: host.node,
      clock: host.clock,
      handlers: this.#handlers,
      others: () => this.#leases.alive().map(({ id }) => id),
      isUp: () => hub.isUp && this.#unsubscribed.size === 0,
      send: (text, node) => hub.publish(this.#channel(node), text),
      onUnsent: host.onUnsent,
    })
    this.#handlers.add('cluster.hello', (body, from) => this.#hello(body, from))
    this.#handlers.add('cluster.bye', (_body, from) => this.#bye(from))
    this.#endHealth = hub.onHealth((state) => {
      this.#leases.interrupted()
      if (state === 'down') this.#bus.interrupted()
      else void this.#beat()
    })
  }

  #channel(node: string | undefined): string {
    return busChannel(this.#hub.prefix, node)
  }

  /** Joins the others. Resolves when they know, and after some seconds in any case: it goes on trying. */
  async start(): Promise<void> {
    await this.#beat()
  }

  get generation(): number {
    return this.#generation
  }

  nodes(): readonly ClusterNode[] {
    return [{ id: this.node, counts: this.#host.counts() }, ...this.#leases.alive()]
  }

  isAlive(node: string, generation?: number): boolean {
    if (node !== this.node) return this.#leases.isAlive(node, generation)
    return generation === undefined || generation >= this.#generation
  }

  onNode(listener: (event: NodeEvent, node: string) => void | Promise<void>): () => void {
    this.#onNode.add(listener)
    return () => void this.#onNode.delete(listener)
  }

  onGeneration(listener: (generation: number) => void): () => void {
    this.#onGeneration.add(listener)
    return () => void this.#onGeneration.delete(listener)
  }

  handle(kind: string, handler: ClusterHandler): void {
    this.#handlers.add(kind, handler)
  }

  tell(kind: string, body: unknown, node?: string): void {
    this.#bus.tell(kind, body, node)
  }

  ask(kind: string, body: unknown, options: ClusterAskOptions): AsyncIterableIterator<ClusterAnswer> {
    return this.#bus.ask(kind, body, options)
  }

  // At most one at a time.
  #beat(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async #beatOnce(): Promise<void> {
    const { clock } = this.#host
    const start = clock.now()
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    try {
      await this.#subscribe()
      await this.#signAndLook(start)
    } catch (error) {
      // The hub has said in the log that Redis is away.
      this.#leases.interrupted()
      this.#host.onUnsent(error)
    }
    const wait = Math.max(LEAST_MS, start + BEAT_MS - clock.now())
    if (!this.#isClosed) this.#timer = clock.setTimeout(() => void this.#beat(), wait)
  }

  // Before the first lease: who sees that may ask at once.
  async #subscribe(): Promise<void> {
    for (const channel of this.#unsubscribed) {
      await this.#hub.subscribe(channel, (message) => this.#bus.receive(message))
      this.#unsubscribed.delete(channel)
    }
  }

  async #signAndLook(start: number): Promise<void> {
    const isFirst = this.#confirmed === undefined
    if (start - (this.#confirmed ?? start) >= GIVE_UP_MS) this.#rise()
    this.#counter++
    const lease = { counter: this.#counter, generation: this.#generation, counts: this.#host.counts() }
    const reply = await this.#hub.run(BEAT, [this.#key], [this.node, leaseText(lease), KEEP_MS])
    this.#confirmed = start
    // First what this node is: who is told of others may ask.
    if (this.#hasRisen) {
      this.#hasRisen = false
      for (const listener of this.#onGeneration) this.#tellOne('generation', () => listener(this.#generation))
    }
    for (const { event, node } of this.#leases.look(leasesOf(reply), this.#host.clock.now()))
      this.#tellAll(event, node)
    if (isFirst) this.tell('cluster.hello', leaseText(lease))
  }

  // Once until others can know.
  #rise(): void {
    if (this.#hasRisen) return
    this.#generation++
    this.#hasRisen = true
  }

  giveUp(generation: number): void {
    if (generation !== this.#generation) return
    this.#rise()
    void this.#beat()
  }

  // Before its lease is seen.
  #hello(body: unknown, from: string): void {
    const [lease] = leasesOf([from, body])
    if (lease !== undefined && this.#leases.joined(lease, this.#host.clock.now()))
      this.#tellAll('joined', from)
  }

  #bye(from: string): void {
    if (this.#leases.left(from)) this.#tellAll('left', from)
  }

  #tellAll(event: NodeEvent, node: string): void {
    if (event !== 'joined') this.#bus.lose(node)
    if (event !== 'joined') void this.#clear(event, node)
    else for (const listener of this.#onNode) this.#tellOne(event, () => listener(event, node))
  }

  #tellOne(what: string, listener: () => void | Promise<void>): void {
    const failed = (error: unknown): void => this.#host.onError(error, what)
    try {
      Promise.resolve(listener()).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  async #clear(event: NodeEvent, node: string): Promise<void> {
    if (this.#clearing.has(node)) return
    this.#clearing.add(node)
    const told = await Promise.allSettled([...this.#onNode].map(async (listener) => listener(event, node)))
    this.#clearing.delete(node)
    const failures = told.filter((result) => result.status === 'rejected')
    for (const { reason } of failures) this.#host.onError(reason, event)
    this.#leases.cleared(node, failures.length === 0, this.#host.clock.now())
    const counter = this.#leases.lostAt(node)
    if (failures.length > 0 || counter === undefined || this.#isClosed) return
    // Where it fails the node is told of again.
    await this.#hub.run(DROP, [this.#key], [node, counter]).catch(this.#host.onUnsent)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#endHealth()
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
    this.#bus.close()
    let timer: Timer | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.#host.clock.setTimeout(resolve, BYE_MS)
    })
    await Promise.race([this.#sayBye(), late])
    if (timer !== undefined) this.#host.clock.clearTimeout(timer)
  }

  // Behind a sign of life that is under way. Where it does not arrive the others will find out.
  async #sayBye(): Promise<void> {
    await this.#beating
    try {
      await this.#hub.command('HDEL', this.#key, this.node)
      const bye = { type: 'tell', kind: 'cluster.bye', from: this.node, body: null } as const
      await this.#hub.publish(this.#channel(undefined), encodeMessage(bye))
    } catch (error) {
      this.#host.onUnsent(error)
    }
  }
}
