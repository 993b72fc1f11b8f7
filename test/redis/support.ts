/** What the tests of the hub share. */
import { onTestFinished } from 'vitest'
import type { Clock } from '../../contract/clock.js'
import { serverClock } from '../../contract/server-clock.js'
import type { Health, HubOptions, RedisClient, RedisHub } from '../../plugins/redis/index.js'
import { quietLog } from '../rate-limit/support.js'
import { openHub } from '../support/redis.js'
import { until } from '../support/until.js'

/** A hub, its log, and the changes of its health. */
export async function watchedHub(client: RedisClient, options: Partial<HubOptions> = {}) {
  const { log, lines } = quietLog()
  const hub = await openHub(client, { log, ...options })
  const changes: Health[] = []
  onTestFinished(hub.onHealth((state) => changes.push(state)))
  return { hub, changes, messages: () => lines.map(({ msg }) => String(msg)), lines }
}

/** Resolves when a hub is up. */
export const up = (hub: RedisHub): Promise<unknown> => until(() => hub.isUp)
/** Resolves when a hub is down. */
export const down = (hub: RedisHub): Promise<unknown> => until(() => !hub.isUp)

/** Listens to a channel; the texts that came are in the list. */
export async function listen(hub: RedisHub, channel: string) {
  const heard: string[] = []
  const stop = await hub.subscribe(channel, (message) => heard.push(message.toString()))
  return { heard, stop }
}

/** Resolves once something published on a channel has been heard. */
export async function works(hub: RedisHub, channel: string, heard: string[]): Promise<void> {
  const nonce = `${channel} ${heard.length}`
  await hub.publish(channel, nonce)
  await until(() => heard.includes(nonce))
}

/** The machine's clock, so many times as fast. */
export const faster = (times: number): Clock => ({
  now: () => serverClock.now() * times,
  wall: () => serverClock.wall(),
  setTimeout: (callback, ms) => serverClock.setTimeout(callback, ms / times),
  clearTimeout: (timer) => serverClock.clearTimeout(timer),
})
