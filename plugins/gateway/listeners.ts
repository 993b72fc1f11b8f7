/** Tells the hooks of a namespace that only listen. What one throws, or rejects with, is logged and harms nobody. docs/hooks.md. */
import type { Connection } from './connection.js'
import { type Backpressure, receivedCode } from './counters.js'
import type { DisconnectInfo, Hooks, RefuseInfo } from './hooks.js'
import type { Mount } from './mount.js'

/** Of one namespace; counts what it tells. */
export class Listeners {
  readonly #mount: Mount
  #onDisconnect: ReadonlyArray<Hooks['onDisconnect']> = []
  #onRefuse: ReadonlyArray<Hooks['onRefuse']> = []
  #onBackpressure: ReadonlyArray<Hooks['onBackpressure']> = []

  constructor(mount: Mount) {
    this.#mount = mount
  }

  /** Takes the hooks as they are now: once, when the namespace is mounted. */
  take(): void {
    const { gateway, path } = this.#mount
    this.#onDisconnect = gateway.hooks.of('onDisconnect', path)
    this.#onRefuse = gateway.hooks.of('onRefuse', path)
    this.#onBackpressure = gateway.hooks.of('onBackpressure', path)
  }

  /** An upgrade, a plain GET that asked for the verdict, or a session too many was refused. */
  refused(refusal: Omit<RefuseInfo, 'mount'>): void {
    this.#mount.gateway.counters.refused.add(refusal.code)
    this.tell('onRefuse', this.#onRefuse, { mount: this.#mount, ...refusal })
  }

  /** A connection is too fast or too slow: counted `count` times, told once. */
  backpressure(connection: Connection, what: Backpressure, count = 1): void {
    this.#mount.gateway.counters[what] += count
    this.tell('onBackpressure', this.#onBackpressure, connection, what, count)
  }

  /** A connection's life is over, whether or not it came in. */
  ended({ isOurs, code }: DisconnectInfo): void {
    const { closes, left } = this.#mount.gateway.counters
    if (isOurs) closes.add(String(code))
    else left.add(receivedCode(code))
  }

  /** A connection that had come in is gone. The hooks are not waited for: each begins in its turn. */
  disconnected(connection: Connection, info: DisconnectInfo): void {
    for (const hook of this.#onDisconnect) void this.#disconnect(hook, connection, info)
  }

  // Rejects never.
  async #disconnect(
    hook: Hooks['onDisconnect'],
    connection: Connection,
    info: DisconnectInfo,
  ): Promise<void> {
    try {
      await hook(connection, info)
    } catch (error) {
      this.#mount.log.error({ err: error, connection: connection.id }, 'ackord: an onDisconnect hook threw')
    }
  }

  /** Calls hooks, taken by whoever tells them. */
  tell<A extends readonly unknown[]>(
    name: string,
    hooks: ReadonlyArray<(...args: A) => unknown>,
    ...args: A
  ): void {
    for (const hook of hooks) {
      try {
        const result = hook(...args)
        // An async function fits where nothing is awaited; what it rejects with must not end the process.
        if (result instanceof Promise) result.catch((error: unknown) => this.#threw(name, error))
      } catch (error) {
        this.#threw(name, error)
      }
    }
  }

  #threw(name: string, error: unknown): void {
    const { log, path } = this.#mount
    log.error({ err: error, path }, `ackord: an ${name} hook threw`)
  }
}
