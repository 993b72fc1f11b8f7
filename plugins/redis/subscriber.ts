/** One connection for channels, to one server: replaced when it is lost, and whole only when it has shown that it hears. */
import type { Clock, Timer } from '../../contract/clock.js'
import type { Channel } from './channel.js'
import type { RedisConnection } from './client.js'
import { COMMAND_MS, retryDelay } from './connections.js'

/** Channels of one SUBSCRIBE; in a Cluster, SSUBSCRIBEs of one channel each on their way at once. */
const BATCH = 500

/** What a subscriber is part of. */
export interface SubscriberHost {
  readonly clock: Clock
  readonly random: () => number
  /** SSUBSCRIBE instead of SUBSCRIBE. */
  readonly isSharded: boolean
  /** A new connection, not yet connected; undefined where it is not known where to. */
  open(): RedisConnection | undefined
  /** It lost its connection or a channel, or has all of them: whether all is whole has to be looked at again. */
  onChange(): void
  onError(error: unknown): void
  /** A channel was refused where it was looked for: its slot may be elsewhere. */
  onMoved(): void
}

/** Keeps its channels subscribed. */
export class Subscriber {
  readonly #host: SubscriberHost
  readonly #channels = new Map<string, Channel>()
  // Those that are to be subscribed or unsubscribed.
  readonly #due = new Set<Channel>()
  #connection: RedisConnection | undefined
  #isReady = false
  #isSettling = false
  #isProven = false
  #attempts = 0
  #timer: Timer | undefined
  #isClosed = false
  #expected: { nonce: string; heard: (isHeard: boolean) => void } | undefined

  constructor(host: SubscriberHost) {
    this.#host = host
  }

  /** It is connected, and each channel that was wanted when it was is subscribed. */
  get isSettled(): boolean {
    return this.#isReady
  }

  /** It is settled, and has heard a nonce on this connection. */
  get isWhole(): boolean {
    return this.#isReady && this.#isProven
  }

  /** Connects. */
  open(): void {
    const connection = this.#host.open()
    if (connection === undefined) {
      this.#openLater()
      return
    }
    this.#connection = connection
    const onMessage = (channel: Buffer, message: Buffer): void => {
      if (connection === this.#connection) this.#channels.get(channel.toString())?.deliver(message)
    }
    connection.on('messageBuffer', onMessage)
    connection.on('smessageBuffer', onMessage)
    connection.on('error', (error) => {
      this.#host.onError(error)
      // Older clients have lost count of their replies when a server drops the channel of a slot that it gave away.
      if (connection === this.#connection && connection.status === 'ready') this.replace()
    })
    connection.on('end', () => this.#lost(connection))
    // The server has dropped channels of slots that it gave away; which ones is not said.
    connection.on('moved', () => this.#resubscribe(connection))
    connection.connect().then(
      () => this.#resubscribe(connection),
      () => this.#lost(connection),
    )
  }

  /** Whether it keeps this channel. */
  has(channel: Channel): boolean {
    return this.#channels.get(channel.name) === channel
  }

  /** Takes a channel, to be subscribed as long as somebody listens. */
  add(channel: Channel): void {
    channel.isSubscribed = false
    this.#channels.set(channel.name, channel)
    this.update(channel)
  }

  /** Takes a channel from another one: until it is subscribed here, what is published there is missed. */
  take(channel: Channel): void {
    this.#isReady = false
    this.add(channel)
  }

  /** Gives a channel away. */
  remove(channel: Channel): void {
    if (!this.has(channel)) return
    this.#channels.delete(channel.name)
    this.#due.delete(channel)
    channel.isSubscribed = false
    // What is heard by two connections would be heard twice. Refused, it is heard by nobody: the channel is no longer known here.
    if (this.#connection?.status === 'ready') this.#send(this.#connection, [channel], false).catch(() => {})
  }

  /** Somebody listens to a channel, or nobody does any more. */
  update(channel: Channel): void {
    this.#due.add(channel)
    void this.settle()
  }

  /** Whether it heard this text on its channel within 2,000 ms of now; false where it has no connection, or loses it. */
  hears(nonce: string): Promise<boolean> {
    return new Promise((resolve) => {
      const { clock } = this.#host
      // Of a nonce that was not published at all nobody has waited for the end.
      this.#expected?.heard(false)
      const timer = clock.setTimeout(() => heard(false), COMMAND_MS)
      const heard = (isHeard: boolean): void => {
        clock.clearTimeout(timer)
        this.#expected = undefined
        if (isHeard) this.#isProven = true
        resolve(isHeard)
      }
      this.#expected = { nonce, heard }
    })
  }

  /** A listener for the channel on which it is to hear what `hears` expects. */
  readonly onNonce = (message: Buffer): void => {
    if (this.#expected?.nonce === message.toString()) this.#expected.heard(true)
  }

  /** Gives up its connection for a new one. */
  replace(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#lost(connection)
    connection.disconnect()
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
  }

  /** Subscribes and unsubscribes what is due, one batch at a time, so that the server ends up with what is wanted. */
  async settle(): Promise<void> {
    const connection = this.#connection
    if (this.#isSettling || connection?.status !== 'ready') return
    this.#isSettling = true
    // Those of one turn go together.
    await Promise.resolve()
    try {
      while (this.#due.size > 0 && connection === this.#connection) await this.#step(connection)
    } catch (error) {
      this.#host.onError(error)
      if (connection === this.#connection) {
        // In a Cluster the connection may be as it should, and the channel elsewhere.
        if (this.#host.isSharded) this.#host.onMoved()
        else this.replace()
        return
      }
    } finally {
      this.#isSettling = false
    }
    if (connection !== this.#connection) {
      // The next one may have come while this one's last commands still failed.
      void this.settle()
      return
    }
    if (this.#isReady) return
    this.#isReady = true
    this.#attempts = 0
    this.#host.onChange()
  }

  async #step(connection: RedisConnection): Promise<void> {
    const batch: Channel[] = []
    for (const channel of this.#due) if (batch.push(channel) === BATCH) break
    for (const channel of batch) this.#due.delete(channel)
    const wanted = batch.filter((channel) => channel.isWanted && !channel.isSubscribed)
    const unwanted = batch.filter((channel) => !channel.isWanted && channel.isSubscribed)
    // Before the command: who listens from now on has to wait for the next batch.
    for (const channel of unwanted) channel.isSubscribed = false
    try {
      await Promise.all([this.#send(connection, wanted, true), this.#send(connection, unwanted, false)])
    } catch (error) {
      for (const channel of wanted) if (this.#channels.has(channel.name)) this.#due.add(channel)
      throw error
    }
    if (connection !== this.#connection) return
    // One may have been given away meanwhile.
    for (const channel of wanted) if (this.#channels.get(channel.name) === channel) channel.subscribed()
    for (const channel of batch) {
      if (channel.isWanted || channel.isSubscribed || this.#due.has(channel)) continue
      this.#channels.delete(channel.name)
      channel.gone()
    }
  }

  async #send(connection: RedisConnection, channels: readonly Channel[], isOn: boolean): Promise<void> {
    if (channels.length === 0) return
    const names = channels.map(({ name }) => name)
    if (!this.#host.isSharded) await connection.call(isOn ? 'subscribe' : 'unsubscribe', names)
    // One command takes channels of one slot only.
    else await Promise.all(names.map((name) => connection.call(isOn ? 'ssubscribe' : 'sunsubscribe', [name])))
  }

  #resubscribe(connection: RedisConnection): void {
    if (connection !== this.#connection || this.#isClosed) return
    const wasReady = this.#isReady
    this.#isReady = false
    for (const channel of this.#channels.values()) {
      channel.isSubscribed = false
      this.#due.add(channel)
    }
    if (wasReady) this.#host.onChange()
    void this.settle()
  }

  #lost(connection: RedisConnection): void {
    if (connection !== this.#connection || this.#isClosed) return
    this.#stop()
    this.#host.onChange()
    this.#openLater()
  }

  #stop(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#isReady = false
    this.#isProven = false
    this.#expected?.heard(false)
    for (const channel of this.#channels.values()) channel.isSubscribed = false
    connection?.disconnect()
  }

  #openLater(): void {
    const { clock, random } = this.#host
    this.#attempts++
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = undefined
        this.open()
      },
      retryDelay(this.#attempts, random),
    )
  }
}
