/**
 * Scripts whose writes count only when so many replicas have them: durability `replicated`. The scripts of a turn and one WAIT behind them
 * are a group, on one connection that never comes back: WAIT speaks for what was written on its own connection only, and one that was sent
 * again to another primary would answer for writes that are gone. docs/decisions/room-log.md.
 */
import type { Clock } from '../../../contract/clock.js'
import {
  meaningOf,
  type RedisConnection,
  type RedisHub,
  RedisUnavailable,
  type RedisValue,
  type Script,
} from '../../redis/core.js'
import type { LogRedis } from './log.js'

/** Scripts of one group; what comes meanwhile is the next. */
const GROUP = 64
/** Scripts that wait for the group before theirs; one more is refused. */
const MAX_WAITING = 10_000
/** Milliseconds that replicas have for a group. */
const WAIT_MS = 1000
/** Milliseconds for a group, attempts on new connections included. */
const GROUP_MS = 2000
/** Milliseconds that a script waits for the group before its own: then it is refused, and was not run. */
const WAITING_MS = 2000
/** Milliseconds before a group runs again. */
const RETRY_MS = 100

interface Job {
  readonly script: Script
  readonly keys: readonly string[]
  readonly values: readonly RedisValue[]
  /** The clock's time until which it waits. */
  readonly due: number
  resolve(reply: unknown): void
  reject(error: unknown): void
}

/** One per number of replicas. */
export class ReplicatedScripts implements LogRedis {
  readonly prefix: string
  readonly isCluster: boolean
  readonly #hub: RedisHub
  readonly #clock: Clock
  readonly #replicas: number
  // By primary.
  readonly #lines = new Map<string, Line>()
  #closed = false

  constructor(hub: RedisHub, clock: Clock, replicas: number) {
    this.prefix = hub.prefix
    this.isCluster = hub.isCluster
    this.#hub = hub
    this.#clock = clock
    this.#replicas = replicas
  }

  /**
   * As `RedisHub.run`, and also rejects with RedisUnavailable where fewer replicas have confirmed it in time: then it has run, and must be
   * run again under the same ids.
   */
  run(script: Script, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    const [key = ''] = keys
    const primary = this.#hub.masterOf(key)
    if (this.#closed || primary === undefined)
      return Promise.reject(new RedisUnavailable('no primary for what must be replicated'))
    let line = this.#lines.get(primary)
    if (line === undefined) {
      line = new Line(this.#hub, this.#clock, this.#replicas, () => void this.#lines.delete(primary))
      this.#lines.set(primary, line)
    }
    return line.run(script, keys, values)
  }

  /** Ends its connections; what is under way is rejected. Safe to repeat. */
  close(): void {
    this.#closed = true
    for (const line of this.#lines.values()) line.close()
    this.#lines.clear()
  }
}

/** The groups of one primary, one at a time. */
class Line {
  readonly #hub: RedisHub
  readonly #clock: Clock
  readonly #replicas: number
  readonly #onLost: () => void
  #jobs: Job[] = []
  #running = false
  #closed = false
  #connection: RedisConnection | undefined

  /** `onLost`: it has no connection and nothing to do. */
  constructor(hub: RedisHub, clock: Clock, replicas: number, onLost: () => void) {
    this.#hub = hub
    this.#clock = clock
    this.#replicas = replicas
    this.#onLost = onLost
  }

  run(script: Script, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#jobs.length >= MAX_WAITING) {
        reject(new RedisUnavailable(`${MAX_WAITING} scripts wait for replicas`))
        return
      }
      const due = this.#clock.now() + WAITING_MS
      this.#jobs.push({ script, keys, values, due, resolve, reject })
      if (!this.#running) void this.#work()
    })
  }

  close(): void {
    this.#closed = true
    this.#drop()
  }

  async #work(): Promise<void> {
    this.#running = true
    // Those of one turn go together.
    await Promise.resolve()
    for (let jobs = this.#take(); jobs.length > 0; jobs = this.#take()) await this.#group(jobs)
    this.#running = false
    if (this.#connection === undefined) this.#onLost()
  }

  #take(): readonly Job[] {
    const now = this.#clock.now()
    const waiting = this.#jobs.findIndex(({ due }) => due > now)
    const late = this.#jobs.splice(0, waiting < 0 ? this.#jobs.length : waiting)
    for (const { reject } of late) reject(new RedisUnavailable('others wait for replicas'))
    return this.#jobs.splice(0, GROUP)
  }

  // After whatever happened to its connection, the whole group runs again: its ids keep it from being published twice.
  async #group(jobs: readonly Job[]): Promise<void> {
    const end = this.#clock.now() + GROUP_MS
    let failure: unknown
    while (!this.#closed && this.#clock.now() < end) {
      const timer = this.#clock.setTimeout(() => this.#drop(), end - this.#clock.now())
      try {
        await this.#attempt(jobs)
        return
      } catch (error) {
        failure = error
        this.#drop()
      } finally {
        this.#clock.clearTimeout(timer)
      }
      await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, RETRY_MS))
    }
    for (const { reject } of jobs) reject(new RedisUnavailable('not replicated in time', { cause: failure }))
  }

  async #attempt(jobs: readonly Job[]): Promise<void> {
    const connection = await this.#connected(jobs[0]?.keys[0] ?? '')
    let isLoading = false
    const send = (command: string, args: RedisValue[]): Promise<unknown> => {
      isLoading ||= command === 'eval'
      return connection.call(command, args)
    }
    const wait = (): Promise<unknown> => connection.call('wait', [this.#replicas, WAIT_MS])
    const settled = Promise.allSettled(jobs.map(({ script, keys, values }) => script.run(send, keys, values)))
    let confirmed = await wait()
    const replies = await settled
    // A script that the server did not know went out again, behind that WAIT.
    if (isLoading) confirmed = await wait()
    for (const reply of replies) {
      if (reply.status === 'rejected' && meaningOf(reply.reason) === 'away') throw reply.reason
    }
    // Each key of this line is with its primary: this connection is to a server that is it no more.
    if (replies.some((reply) => reply.status === 'rejected' && isMoved(reply.reason))) this.#drop()
    const isKept = Number(confirmed) >= this.#replicas
    for (const [index, { resolve, reject }] of jobs.entries()) {
      const reply = replies[index]
      if (reply?.status === 'rejected') reject(refusalOf(reply.reason))
      else if (isKept) resolve(reply?.value)
      else reject(new RedisUnavailable(`${confirmed} of ${this.#replicas} replicas have it`))
    }
  }

  async #connected(key: string): Promise<RedisConnection> {
    const connection = this.#connection ?? this.#hub.openTo(key)
    if (connection === undefined) throw new Error('it is not known where the primary is')
    if (connection === this.#connection) return connection
    this.#connection = connection
    // Whoever waits gets the error of their command.
    connection.on('error', () => undefined)
    connection.on('end', () => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      if (!this.#running) this.#onLost()
    })
    await connection.connect()
    return connection
  }

  #drop(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.disconnect()
  }
}

const isMoved = (error: unknown): boolean => error instanceof Error && error.message.startsWith('MOVED')

// What may be done at another time, or by another server, is no answer to the script.
const refusalOf = (error: unknown): unknown =>
  meaningOf(error) === 'reply' ? error : new RedisUnavailable(String(error), { cause: error })
