/** The servers of a hub, and which of them has which channel: the only one, or the masters of a Cluster as they are now. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../contract/clock.js'
import type { Channel, Listener } from './channel.js'
import type { RedisClient, RedisConnection } from './client.js'
import type { Commands } from './commands.js'
import { openSubscriber } from './connections.js'
import type { Shard } from './shard.js'
import { slotOf } from './slots.js'
import { Subscriber } from './subscriber.js'

/** Names tried for a channel that is in one of a master's slots: it has 1 in 16,384 at least, where it has any. */
const MAX_NAMES = 1_000_000

/** Why a server is not asked before its first answer. */
export const NOT_YET = new Error('it has not answered yet')

/** What the shards are part of. */
export interface ShardsHost {
  readonly clock: Clock
  readonly random: () => number
  /** First part of the names of their probes. */
  readonly prefix: string
  newChannel(name: string): Channel
  /** See `SubscriberHost`. */
  onChange(): void
  onError(error: unknown): void
  onMoved(): void
}

/** By what their servers are called. */
export class Shards {
  readonly #client: RedisClient
  readonly #commands: Commands
  readonly #host: ShardsHost
  readonly #shards = new Map<string, Shard>()
  readonly #id = randomBytes(9).toString('base64url')

  constructor(client: RedisClient, commands: Commands, host: ShardsHost) {
    this.#client = client
    this.#commands = commands
    this.#host = host
  }

  [Symbol.iterator](): IterableIterator<Shard> {
    return this.#shards.values()
  }

  /** Connects to the only server; in a Cluster they are made as they become known. */
  start(): void {
    if (this.#commands.cluster === undefined) this.#add('')
  }

  /** Where a key or channel is. Undefined in a Cluster that has not said so yet, or where nobody has its slot. */
  of(name: string): Shard | undefined {
    const { cluster } = this.#commands
    if (cluster === undefined) return this.#shards.get('')
    return this.#shards.get(cluster.slots[slotOf(name)]?.[0] ?? '')
  }

  /** A new connection to a server, not yet connected, which lives once. Undefined where that server is not known any more. */
  open(key: string): RedisConnection | undefined {
    const client = 'nodes' in this.#client ? this.#commands.masterAt(key) : this.#client
    return client && openSubscriber(client)
  }

  /** In a Cluster: a shard for each master that has slots, and each channel with the master that has its slot now. */
  arrange(channels: Iterable<Channel>): void {
    const { cluster } = this.#commands
    if (cluster === undefined) return
    // What it says now is looked at the next time.
    if (this.#commands.isReady) cluster.refreshSlotsCache()
    const owners = new Set<string>()
    for (const nodes of cluster.slots) if (nodes?.[0] !== undefined) owners.add(nodes[0])
    if (owners.size === 0) return
    for (const key of owners) if (!this.#shards.has(key)) this.#add(key)
    for (const [key, shard] of this.#shards) {
      if (cluster.slots[shard.probe.slot]?.[0] === key) {
        void shard.subscriber.settle()
        continue
      }
      // The name of its probe is in none of its slots any more: a new one is made with the shard.
      shard.subscriber.close()
      this.#shards.delete(key)
      if (owners.has(key)) this.#add(key)
    }
    for (const channel of channels) {
      const shard = this.#shards.get(cluster.slots[channel.slot]?.[0] ?? '')
      if (shard === undefined || shard.subscriber.has(channel)) continue
      for (const { subscriber } of this) subscriber.remove(channel)
      shard.subscriber.take(channel)
    }
  }

  /** Ends all subscribers. */
  close(): void {
    for (const { subscriber } of this) subscriber.close()
  }

  #add(key: string): void {
    const { clock, random, onChange, onError, onMoved } = this.#host
    const isSharded = this.#commands.cluster !== undefined
    const open = () => this.open(key)
    const subscriber = new Subscriber({ clock, random, isSharded, open, onChange, onError, onMoved })
    const probe = this.#probe(key, subscriber.onNonce)
    this.#shards.set(key, { key, subscriber, probe, away: NOT_YET })
    subscriber.add(probe)
    subscriber.open()
  }

  #probe(key: string, listener: Listener): Channel {
    const { cluster } = this.#commands
    for (let n = 0; n < MAX_NAMES; n++) {
      const name = `${this.#host.prefix}:{probe.${this.#id}.${n}}`
      if (cluster !== undefined && cluster.slots[slotOf(name)]?.[0] !== key) continue
      const channel = this.#host.newChannel(name)
      channel.listen(listener)
      return channel
    }
    throw new Error(`no name is in a slot of ${key}`)
  }
}
