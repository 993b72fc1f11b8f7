/** `ackord/publisher`: events from workers and cron jobs, typed by the contract, through Redis to all nodes. Needs no Fastify and no ws. */
import type { Contract, ContractDefinition } from '../../contract/contract.js'
import { serverClock } from '../../contract/server-clock.js'
import { AckordError } from '../errors.js'
import { bounded, checkDurability, checkRedis, loadCodecs, MAX_BUFFERED } from '../gateway/core.js'
import { type HubLog, RedisHub } from '../redis/core.js'
import type { RoomHost } from '../rooms/core.js'
import type { Publisher, PublisherOptions } from './types.js'
import { PublisherView } from './view.js'

const OPTIONS = ['path', 'redis', 'redisPrefix', 'durability', 'maxBuffered', 'log']

const NOBODY: HubLog = { info() {}, warn() {}, error() {} }

/**
 * Makes a publisher of a contract. Resolves when Redis is there, and after 2,000 ms in any case: it goes on trying. It keeps the
 * process alive until `close`. What the servers' `onPublish` hooks refuse is not refused here. Rejects with ACKORD_INVALID_OPTION.
 */
export async function createPublisher<C extends ContractDefinition>(
  contract: Contract<C>,
  options: PublisherOptions,
): Promise<Publisher<C>> {
  if (typeof contract?.hash !== 'string') throw invalid('contract: pass what defineContract returned')
  checkOptions(options ?? {})
  const { path, redis, redisPrefix: prefix = 'ackord', durability = 'memory', log = NOBODY } = options
  const host: RoomHost = {
    contract,
    settings: {
      maxBuffered: bounded('maxBuffered', options.maxBuffered, MAX_BUFFERED),
      durability: checkDurability(durability),
    },
    gateway: { codecs: await loadCodecs() },
  }
  const hub = new RedisHub(redis, { prefix, clock: serverClock, log, random: Math.random })
  const view = new PublisherView({ host, hub, path, clock: serverClock, log })
  await hub.start()
  // The one place where the view takes on the contract's types.
  return view as unknown as Publisher<C>
}

function checkOptions(options: PublisherOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw invalid(`${unknown}: no such option; there are ${OPTIONS.join(', ')}`)
  const { path, redis, redisPrefix } = options
  if (typeof path !== 'string' || !/^(\/[\w.~-]+)+$/.test(path))
    throw invalid('path: all of where the namespace is served, prefixes included, such as "/v1/chat"')
  if (redis === undefined) throw invalid('redis: a client of ioredis or iovalkey')
  checkRedis(redis, redisPrefix)
}

const invalid = (detail: string): AckordError => new AckordError('ACKORD_INVALID_OPTION', detail)

export { ClusterError, type ClusterErrorCode } from '../cluster/core.js'
export { AckordError, type AckordErrorCode } from '../errors.js'
export type { Durability } from '../gateway/core.js'
export type { HubLog, RedisClient } from '../redis/core.js'
export { BrokerError, type BrokerErrorCode, type Position } from '../rooms/core.js'
export type * from './types.js'
