/** Redis for all plugins: scripts, commands and channels over connections of our own, and whether it is there. */
import type { Clock } from '../../contract/clock.js'
import type { Listener } from './channel.js'
import { Channels } from './channels.js'
import type { RedisClient, RedisConnection, RedisValue } from './client.js'
import { Commands, NoAnswer } from './commands.js'
import { COMMAND_MS } from './connections.js'
import { meaningOf, messageOf, RedisUnavailable } from './errors.js'
import { type HubLog, Outage } from './outage.js'
import { type Script, script } from './script.js'
import type { Shard } from './shard.js'
import { NOT_YET, Shards } from './shards.js'
import { Watch } from './watch.js'

/** Commands under way at once, those that look after the hub itself aside. */
const MAX_IN_FLIGHT = 10_000
/** Listeners to its health. */
const MAX_LISTENERS = 1000

const PROBE = script('probe')

/** `down`: Redis is away, in part or whole. `up`: all of it is there again, and messages may have been missed. */
export type Health = 'up' | 'down'

/** What a hub needs besides a client. */
export interface HubOptions {
  /** First part of all keys and channels. */
  readonly prefix: string
  readonly clock: Clock
  readonly log: HubLog
  /** Spreads reconnects; 0 ≤ n < 1. */
  readonly random: () => number
}

/** One per app. docs/decisions/redis-connections.md. */
export class RedisHub {
  readonly prefix: string
  readonly isCluster: boolean
  readonly #clock: Clock
  readonly #log: HubLog
  readonly #commands: Commands
  readonly #shards: Shards
  readonly #outage: Outage
  readonly #channels: Channels
  readonly #listeners = new Set<{ readonly listener: (state: Health) => void }>()
  readonly #watch: Watch
  #nonces = 0
  #isUp = false
  #isClosed = false

  constructor(client: RedisClient, { prefix, clock, log, random }: HubOptions) {
    this.prefix = prefix
    this.isCluster = 'nodes' in client
    this.#clock = clock
    this.#log = log
    this.#outage = new Outage(log)
    this.#watch = new Watch(clock, () => this.#round())
    this.#channels = new Channels({
      clock,
      isCluster: this.isCluster,
      shardOf: (name) => this.#shards.of(name),
      onError: (error) => log.error({ err: error }, 'ackord: a message could not be handled'),
    })
    const onError = (error: unknown): void => this.#onError(error)
    const onReady = (): void => this.#watch.wake()
    this.#commands = new Commands(client, { clock, random, onReady, onError })
    this.#shards = new Shards(client, this.#commands, {
      clock,
      random,
      prefix,
      newChannel: (name) => this.#channels.make(name),
      onChange: () => {
        this.#judge()
        if (!this.#isClosed) this.#watch.wake()
      },
      onError,
      onMoved: () => this.#watch.hurry(),
    })
  }

  /** Commands and every subscription are whole. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Commands are sent, in a Cluster to one master at least. */
  get canRun(): boolean {
    return this.#commands.isReady && [...this.#shards].some(({ away }) => away === undefined)
  }

  /** Connects. Resolves once it is up, and after 2,000 ms in any case: it goes on trying. */
  async start(): Promise<void> {
    this.#commands.open()
    this.#shards.start()
    this.#watch.start()
    if (this.#isUp) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#clock.clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = this.#clock.setTimeout(done, COMMAND_MS)
      const stop = this.onHealth(done)
    })
    if (!this.#isUp) this.#sayAway()
  }

  /**
   * Told when Redis goes away, and when all is whole again, after which every subscriber has to start from the truth: messages may have
   * been missed. Returns what ends it. Throws where 1,000 listen.
   */
  onHealth(listener: (state: Health) => void): () => void {
    if (this.#listeners.size >= MAX_LISTENERS)
      throw new Error(`${MAX_LISTENERS} listen to the health of Redis`)
    const entry = { listener }
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  /**
   * Runs a script, whose keys are all in one slot; texts of the reply are strings. Rejects with RedisUnavailable: within 2,000 ms, and at once
   * where Redis is known to be away; else with the ReplyError of the script.
   */
  run(script: Script, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    return script.run((command, args) => this.#send(keys[0], command, args, false), keys, values)
  }

  /** As `run`; texts of the reply are Buffers. */
  runBuffer(script: Script, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    return script.run((command, args) => this.#send(keys[0], command, args, true), keys, values)
  }

  /** Sends one command, its key first; rejects as `run`. */
  command(name: string, ...args: readonly RedisValue[]): Promise<unknown> {
    return this.#send(args[0], name, [...args], false)
  }

  /** PUBLISH, in a Cluster SPUBLISH. Rejects as `run`. */
  async publish(channel: string, message: string | Buffer): Promise<void> {
    await this.command(this.isCluster ? 'spublish' : 'publish', channel, message)
  }

  /**
   * Subscribes; once per channel however many listen. Resolves when the server has confirmed it, with what ends it. Goes on across reconnects.
   * Rejects with RedisUnavailable as `run`, and where there are 250,000 channels or 1,000 listeners of this one: then nothing is kept, and
   * who wants it tries again when the hub is up.
   */
  async subscribe(name: string, listener: Listener): Promise<() => void> {
    const shard = this.#shards.of(name)
    if (shard === undefined || shard.away !== undefined) throw unavailable(shard?.away ?? NOT_YET)
    return this.#channels.subscribe(shard, name, listener)
  }

  /** The server that a key is with now, by a text that tells it from others; undefined where that is not known, or it is away. */
  masterOf(key: string): string | undefined {
    const shard = this.#shards.of(String(key))
    return shard?.away === undefined ? shard?.key : undefined
  }

  /**
   * A new connection to the server that a key is with now, not yet connected. It lives once, and is the caller's to end. Undefined where that
   * server is not known.
   */
  openTo(key: string): RedisConnection | undefined {
    const shard = this.#shards.of(key)
    return shard && this.#shards.open(shard.key)
  }

  /** Ends all connections; what is under way is rejected. Safe to repeat. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#isUp = false
    this.#watch.stop()
    this.#shards.close()
    this.#commands.close()
  }

  async #send(
    key: RedisValue | undefined,
    command: string,
    args: RedisValue[],
    asBuffers: boolean,
  ): Promise<unknown> {
    const shard = this.#shards.of(String(key))
    if (shard === undefined || shard.away !== undefined) throw unavailable(shard?.away ?? NOT_YET)
    // This node asks too much at once: Redis is not away for that, and the others need not know.
    if (this.#commands.inFlight >= MAX_IN_FLIGHT)
      throw new RedisUnavailable(`${MAX_IN_FLIGHT} commands are under way`)
    return this.#ask(shard, command, args, asBuffers)
  }

  async #ask(shard: Shard, command: string, args: RedisValue[], asBuffers: boolean): Promise<unknown> {
    try {
      return await this.#commands.send(command, args, asBuffers)
    } catch (error) {
      const meaning = meaningOf(error)
      if (meaning === 'reply') throw error
      if (meaning === 'away') this.#lost(shard, error)
      else if (!this.#isClosed) this.#outage.refused(error)
      throw unavailable(error)
    }
  }

  #lost(shard: Shard, error: unknown): void {
    if (this.#isClosed) return
    const isNews = shard.away === undefined
    shard.away = error
    if (!isNews) return
    this.#judge()
    this.#watch.wake()
  }

  // What is done every five seconds, and five times a second while something is missing.
  async #round(): Promise<boolean> {
    this.#shards.arrange(this.#channels)
    this.#judge()
    await Promise.all([...this.#shards].map((shard) => this.#probe(shard)))
    this.#judge()
    return this.#isUp
  }

  async #probe(shard: Shard): Promise<void> {
    const { subscriber, probe } = shard
    const nonce = `${++this.#nonces}`
    const hears = subscriber.isSettled ? subscriber.hears(nonce) : undefined
    const command = this.isCluster ? 'SPUBLISH' : 'PUBLISH'
    const send = (name: string, args: RedisValue[]): Promise<unknown> =>
      this.#commands.send(name, args, false)
    try {
      await PROBE.run(send, [probe.name], [command, nonce])
    } catch (error) {
      this.#lost(shard, error)
      // Another connection may lead to a server that answers: another master, or the same one by another way.
      const isDead = (error instanceof NoAnswer && error.isLate) || messageOf(error).startsWith('READONLY')
      if (isDead && !this.#isClosed) this.#commands.reconnect(shard.key)
      return
    }
    shard.away = undefined
    if (hears !== undefined && !(await hears) && subscriber.isSettled && !this.#isClosed) {
      this.#onError(new Error('a subscriber did not hear what was published'))
      subscriber.replace()
    }
  }

  #judge(): void {
    if (this.#isClosed) return
    const shards = [...this.#shards]
    const isUp =
      shards.length > 0 && shards.every(({ away, subscriber }) => away === undefined && subscriber.isWhole)
    if (isUp === this.#isUp) return
    this.#isUp = isUp
    if (!isUp) this.#sayAway()
    else this.#outage.back()
    for (const { listener } of this.#listeners) {
      try {
        listener(isUp ? 'up' : 'down')
      } catch (error) {
        this.#log.error({ err: error }, 'ackord: a change of Redis could not be handled')
      }
    }
  }

  #sayAway(): void {
    if (this.#isClosed) return
    this.#outage.away([...this.#shards].find(({ away }) => away !== undefined)?.away)
  }

  #onError(error: unknown): void {
    if (!this.#isClosed) this.#outage.failed(error)
  }
}

const unavailable = (error: unknown): RedisUnavailable =>
  new RedisUnavailable(reasonOf(error), { cause: error })

// What a client says of a command that it does not send again after its connection was lost is about its own options.
const reasonOf = (error: unknown): string =>
  error instanceof Error && error.name === 'MaxRetriesPerRequestError'
    ? 'the connection was lost'
    : messageOf(error)

export type { HubLog }
