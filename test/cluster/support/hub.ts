/** A Redis that a test takes away and gives back, for clusters with a clock of the test's own. */
import { createClock, type TestClock } from '../../../client/testing/index.js'
import { type ClusterHost, MemoryCluster } from '../../../plugins/cluster/cluster-memory.js'
import { type ClusterHub, RedisCluster } from '../../../plugins/cluster/cluster-redis.js'

type Health = 'up' | 'down'

/** The server: leases, and who listens. */
export class FakeRedis {
  readonly leases = new Map<string, string>()
  readonly listeners = new Map<string, Set<(message: Buffer) => void>>()
  /** Scripts that were run. */
  runs = 0
}

/** One node's way to it. */
export class FakeHub implements ClusterHub {
  readonly prefix = 'test'
  readonly #redis: FakeRedis
  readonly #health = new Set<(state: Health) => void>()
  isUp = true
  /** Nothing comes back. */
  isMute = false

  constructor(redis: FakeRedis) {
    this.#redis = redis
  }

  /** Redis goes away from this node, or comes back. */
  set(state: Health): void {
    this.isUp = state === 'up'
    for (const listener of this.#health) listener(state)
  }

  onHealth(listener: (state: Health) => void): () => void {
    this.#health.add(listener)
    return () => void this.#health.delete(listener)
  }

  async #reach(): Promise<void> {
    if (this.isMute) await new Promise(() => {})
    if (!this.isUp) throw new Error('Redis is away')
  }

  async run(_script: unknown, _keys: readonly string[], values: readonly unknown[]): Promise<unknown> {
    await this.#reach()
    this.#redis.runs++
    const [node, lease, keep] = values.map(String)
    const { leases } = this.#redis
    if (keep !== undefined) {
      leases.set(String(node), String(lease))
      return [...leases].flat()
    }
    return leases.get(String(node))?.startsWith(`${lease} `) && leases.delete(String(node)) ? 1 : 0
  }

  async command(name: string, _key: unknown, node: unknown): Promise<unknown> {
    await this.#reach()
    if (name !== 'HDEL') throw new Error(`no command ${name}`)
    return this.#redis.leases.delete(String(node)) ? 1 : 0
  }

  async publish(channel: string, message: string | Buffer): Promise<void> {
    await this.#reach()
    for (const listener of this.#redis.listeners.get(channel) ?? []) listener(Buffer.from(message))
  }

  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<() => void> {
    await this.#reach()
    const listeners = this.#redis.listeners.get(channel) ?? new Set()
    this.#redis.listeners.set(channel, listeners)
    const heard = (message: Buffer): void => {
      if (this.isUp && !this.isMute) listener(message)
    }
    listeners.add(heard)
    return () => void listeners.delete(heard)
  }
}

/** A node's surroundings. */
export function hostOf(node: string, clock: ClusterHost['clock'] = createClock()) {
  const counts: Record<string, number> = {}
  const errors: unknown[] = []
  const host: ClusterHost = {
    node,
    clock,
    counts: () => counts,
    onError: (error) => errors.push(error),
    onUnsent: () => {},
  }
  return { host, counts, errors }
}

/** A node without others, in memory. */
export function memoryNode(node: string, clock: ClusterHost['clock']) {
  const { host, ...rest } = hostOf(node, clock)
  return { cluster: new MemoryCluster(host), ...rest }
}

/** A node of a cluster; start it. */
export function redisNode(node: string, redis: FakeRedis, clock: TestClock) {
  const { host, ...rest } = hostOf(node, clock)
  const hub = new FakeHub(redis)
  return { cluster: new RedisCluster(host, hub), hub, ...rest }
}
