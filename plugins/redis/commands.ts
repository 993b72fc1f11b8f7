/** The connection that commands leave by. */
// Taken at load, so that fake timers a user installs later do not stop it.
import { setImmediate } from 'node:timers'
import type { Clock } from '../../contract/clock.js'
import { Timeouts } from '../gateway/core.js'
import type { RedisClient, RedisClusterConnection, RedisConnection, RedisValue } from './client.js'
import { COMMAND_MS, openCluster, openServer } from './connections.js'

/** What is told about the connection. */
export interface CommandsHost {
  readonly clock: Clock
  readonly random: () => number
  /** Commands can be sent again. */
  onReady(): void
  onError(error: Error): void
}

/** A command was not answered, or not sent. */
export class NoAnswer extends Error {
  /** It waited its whole time: the connection may be dead. */
  readonly isLate: boolean
  constructor(message: string, isLate: boolean) {
    super(message)
    this.name = 'NoAnswer'
    this.isLate = isLate
  }
}

/** Sends commands, to one server or to a Cluster; each is answered, or rejected within 2,000 ms. */
export class Commands {
  /** Undefined for one server. */
  readonly cluster: RedisClusterConnection | undefined
  readonly #connection: RedisConnection
  readonly #waiting: Timeouts<() => void>

  constructor(client: RedisClient, host: CommandsHost) {
    if ('nodes' in client) this.#connection = this.cluster = openCluster(client, host.random)
    else this.#connection = openServer(client, host.random)
    this.#waiting = new Timeouts(host.clock, COMMAND_MS, (late) => late())
    this.#connection.on('ready', () => host.onReady())
    this.#connection.on('error', (error: Error) => host.onError(error))
  }

  /** Commands under way. */
  get inFlight(): number {
    return this.#waiting.size
  }

  /** Commands are sent at once. */
  get isReady(): boolean {
    return this.#connection.status === 'ready'
  }

  /** Connects, and comes back by itself from then on. */
  open(): void {
    // Told by `onError` as well.
    this.#connection.connect().catch(() => {})
  }

  /** Rejects with NoAnswer, or with the error of the client. `asBuffers`: texts of the reply. */
  send(command: string, args: RedisValue[], asBuffers: boolean): Promise<unknown> {
    if (!this.isReady) return Promise.reject(new NoAnswer(notConnected(this.#connection), false))
    const connection = this.#connection
    const reply = asBuffers ? connection.callBuffer(command, args) : connection.call(command, args)
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(new NoAnswer(`no answer within ${COMMAND_MS} ms`, true))
      // Where this process was late itself, the answer may be there and not yet read.
      const late = (): void => void setImmediate(giveUp)
      this.#waiting.add(late)
      reply.then(resolve, reject).finally(() => this.#waiting.delete(late))
    })
  }

  /** Makes the connection anew, in a Cluster the one to a master: it is dead, or leads to a server that is master no more. */
  reconnect(master: string): void {
    if (this.cluster === undefined) this.#connection.disconnect(true)
    else this.masterAt(master)?.disconnect()
  }

  /** A master of the Cluster by its `host:port`. */
  masterAt(key: string) {
    return this.cluster?.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === key)
  }

  /** Ends the connection; what is under way is rejected. */
  close(): void {
    this.#connection.disconnect()
  }
}

// Where a client connects to, without its user and password.
function addressOf(options: unknown): string {
  if (typeof options !== 'object' || options === null) return 'Redis'
  if ('sentinels' in options && Array.isArray(options.sentinels)) return 'the master that Sentinel names'
  if ('path' in options && typeof options.path === 'string') return options.path
  if ('host' in options && 'port' in options) return `${options.host}:${options.port}`
  return 'Redis'
}

const notConnected = ({ options }: RedisConnection): string =>
  `not connected to ${addressOf(options)}; is it running, and to be reached from here? It is tried again by itself`
