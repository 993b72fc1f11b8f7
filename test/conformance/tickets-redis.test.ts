import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { MAX_TICKETS, TICKET_MS } from '../../plugins/auth/tickets.js'
import { RedisTickets, type TicketHub } from '../../plugins/auth/tickets-redis.js'
import { RedisUnavailable } from '../../plugins/redis/index.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { ticketsConformance } from './tickets.js'

// Nobody can turn the clock of a server: what would have ended by then is made to end now.
const end = async (redis: Awaited<ReturnType<typeof startRedis>>): Promise<void> => {
  const client = await redis.connect()
  for (const key of await client.keys('*')) {
    if ((await client.type(key)) === 'zset')
      for (const member of await client.zrange(key, 0, '-1'))
        await client.call('zadd', key, 'XX', '1', member)
    else if ((await client.pttl(key)) <= TICKET_MS) await client.pexpire(key, 1)
  }
  while ((await client.keys('*ticket *')).length > 0) await new Promise(setImmediate)
}

describeWithRedis('on Redis', () => {
  ticketsConformance('one Redis', async () => {
    const redis = await startRedis()
    const open = async () => new RedisTickets(await openHub(await redis.connect()), createClock(), '/live')
    return { tickets: await open(), other: await open(), pass: () => end(redis) }
  })

  it('keep neither ticket nor anything else for longer than it may be used', async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const tickets = new RedisTickets(await openHub(await redis.connect()), createClock(), '/live')
    const ticket = await tickets.issue({ id: 'ann', tokenId: 't' })
    const keys = await client.keys('*')
    expect(keys).toHaveLength(3)
    for (const key of keys) {
      expect(key).not.toContain(ticket)
      const left = await client.pttl(key)
      expect([key, left > 0 && left <= TICKET_MS]).toEqual([key, true])
    }
    expect(
      await new RedisTickets(await openHub(client), createClock(), '/other').take(ticket),
    ).toBeUndefined()
    expect(await tickets.take(ticket)).toMatchObject({ id: 'ann' })
    expect(await client.keys('*')).toEqual([])
  })
})

describe('tickets in Redis', () => {
  it('are 10,000 in 30 seconds from one node', async () => {
    const clock = createClock()
    const hub: TicketHub = { prefix: 'ackord', run: async () => 1, command: async () => 'OK' }
    const tickets = new RedisTickets(hub, clock, '/live')
    for (let i = 0; i < MAX_TICKETS; i++) await tickets.issue({ id: `user${i}` })
    await expect(tickets.issue({ id: 'ann' })).rejects.toMatchObject({ status: 503, retryAfter: 30 })
    clock.advance(TICKET_MS)
    await tickets.issue({ id: 'ann' })
  })

  it('are not available while Redis is away', async () => {
    const away = async () => {
      throw new RedisUnavailable('a test')
    }
    const tickets = new RedisTickets({ prefix: 'ackord', run: away, command: away }, createClock(), '/live')
    const refusal = { status: 503, code: 'UNAVAILABLE', retryAfter: 5 }
    await expect(tickets.issue({ id: 'ann' })).rejects.toMatchObject(refusal)
    await expect(tickets.look('ackord.ticket.x')).rejects.toMatchObject(refusal)
    await expect(tickets.take('ackord.ticket.x')).rejects.toMatchObject(refusal)
  })
})
