/** The messages: in memory, where a restart forgets them, or in Redis, where all nodes have the same. Yours is a database. */
import { randomUUID } from 'node:crypto'
import { refuseCall } from 'ackord'
import type { Redis } from 'ioredis'
import type { ChannelId, Message } from '../contract.js'

/** Messages kept a channel; the oldest go first. */
const KEPT = 500
/** Slow mode: one person says at most this much, in this many milliseconds, in one channel. */
const BURST = { messages: 20, ms: 5000 }

/** What came of a message: it is kept, or its author has to wait, in milliseconds. */
export type Added = { readonly message: Message } | { readonly wait: number }

/** What the handlers need of a store. */
export interface Store {
  /** Keeps a message, in slow mode; its time is later than that of any before it in the channel. */
  add(channelId: ChannelId, from: string, text: string): Added | Promise<Added>
  /** The newest messages, oldest first. */
  newest(channelId: ChannelId, count: number): readonly Message[] | Promise<readonly Message[]>
}

/** Makes an empty store. */
export function memoryStore(): Store {
  const channels = new Map<ChannelId, Message[]>()
  return {
    add(channelId, from, text) {
      const messages = channels.get(channelId) ?? []
      channels.set(channelId, messages)
      const now = Date.now()
      const own = messages.filter((message) => message.from === from && message.at > now - BURST.ms)
      const first = own.at(-BURST.messages)
      if (first) return { wait: first.at + BURST.ms - now }
      const at = Math.max(now, (messages.at(-1)?.at ?? 0) + 1)
      const message = { id: randomUUID(), from, text, at }
      messages.push(message)
      if (messages.length > KEPT) messages.shift()
      return { message }
    },
    newest: (channelId, count) => channels.get(channelId)?.slice(-count) ?? [],
  }
}

/** The same, as one step of Redis: messages without their time, by their time. KEYS: the channel. Reply: wait, or 0 and the time. */
const ADD = `
local now, ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local own = {}
local recent = redis.call('zrangebyscore', KEYS[1], string.format('(%.0f', now - ms), '+inf', 'withscores')
for i = 1, #recent, 2 do
  if cjson.decode(recent[i]).from == ARGV[5] then own[#own + 1] = tonumber(recent[i + 1]) end
end
local first = own[#own - tonumber(ARGV[3]) + 1]
if first then return {math.max(1, first + ms - now)} end
local last = redis.call('zrange', KEYS[1], -1, -1, 'withscores')
local at = math.max(now, tonumber(last[2] or 0) + 1)
redis.call('zadd', KEYS[1], string.format('%.0f', at), ARGV[6])
redis.call('zremrangebyrank', KEYS[1], 0, -1 - tonumber(ARGV[4]))
return {0, at}`

/** Makes a store of what is in Redis. While Redis is away it refuses with UNAVAILABLE: nothing was done, so clients keep the call and repeat it. */
export function redisStore(redis: Redis): Store {
  const keyOf = (channelId: ChannelId) => {
    if (redis.status !== 'ready') throw refuseCall('UNAVAILABLE')
    return `chat:messages:${channelId}`
  }
  return {
    async add(channelId, from, text) {
      const message = { id: randomUUID(), from, text }
      const args = [Date.now(), BURST.ms, BURST.messages, KEPT, from, JSON.stringify(message)]
      const [wait, at] = (await redis.eval(ADD, 1, keyOf(channelId), ...args)) as number[]
      return wait ? { wait } : { message: { ...message, at: Number(at) } }
    },
    async newest(channelId, count) {
      const flat = await redis.zrange(keyOf(channelId), -count, '-1', 'WITHSCORES')
      return flat.flatMap((text, i) => (i % 2 ? [] : [{ ...JSON.parse(text), at: Number(flat[i + 1]) }]))
    },
  }
}
