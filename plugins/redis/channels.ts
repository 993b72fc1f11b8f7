/** The channels that somebody listens to, each subscribed once however many do. */
import type { Clock } from '../../contract/clock.js'
import { Channel, type ChannelHost, type Listener } from './channel.js'
import { COMMAND_MS } from './connections.js'
import { RedisUnavailable } from './errors.js'
import type { Shard } from './shard.js'
import { slotOf } from './slots.js'

/** Channels of one hub. */
const MAX_CHANNELS = 250_000

/** What the channels are part of. */
export interface ChannelsHost {
  readonly clock: Clock
  readonly isCluster: boolean
  /** Where a channel is; undefined where that is not known. */
  shardOf(name: string): Shard | undefined
  /** A listener threw. */
  onError(error: unknown): void
}

/** By their names. */
export class Channels {
  readonly #host: ChannelsHost
  readonly #channels = new Map<string, Channel>()
  readonly #channelHost: ChannelHost

  constructor(host: ChannelsHost) {
    this.#host = host
    this.#channelHost = {
      onGone: (channel) => {
        if (this.#channels.get(channel.name) === channel) this.#channels.delete(channel.name)
      },
      onError: (error) => host.onError(error),
    }
  }

  [Symbol.iterator](): IterableIterator<Channel> {
    return this.#channels.values()
  }

  /** A channel that is not one of these. */
  make(name: string): Channel {
    return new Channel(this.#channelHost, name, this.#host.isCluster ? slotOf(name) : 0)
  }

  /**
   * Subscribes on the server that the channel is with. Resolves when it has confirmed it, with what ends it; rejects with RedisUnavailable
   * where it does not within 2,000 ms, and where there are 250,000 channels or 1,000 listeners of this one: then nothing is kept.
   */
  async subscribe(shard: Shard, name: string, listener: Listener): Promise<() => void> {
    const channel = this.#channelOf(name)
    const stop = channel.listen(listener)
    if (stop === undefined) throw new RedisUnavailable('too many listeners of one channel')
    const end = (): void => {
      stop()
      if (!channel.isWanted) this.#host.shardOf(name)?.subscriber.update(channel)
    }
    if (!this.#channels.has(name)) {
      this.#channels.set(name, channel)
      shard.subscriber.add(channel)
    } else if (!channel.isSubscribed) shard.subscriber.update(channel)
    if (!channel.isSubscribed) await this.#confirmed(channel, end)
    return end
  }

  #channelOf(name: string): Channel {
    const known = this.#channels.get(name)
    if (known !== undefined) return known
    if (this.#channels.size >= MAX_CHANNELS) throw new RedisUnavailable(`there are ${MAX_CHANNELS} channels`)
    return this.make(name)
  }

  #confirmed(channel: Channel, end: () => void): Promise<void> {
    const { clock } = this.#host
    return new Promise((resolve, reject) => {
      const stopWaiting = channel.wait(() => {
        clock.clearTimeout(timer)
        resolve()
      })
      const timer = clock.setTimeout(() => {
        stopWaiting()
        end()
        reject(new RedisUnavailable('a subscription was not confirmed in time'))
      }, COMMAND_MS)
    })
  }
}
