import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { RecentRevocations } from '../../plugins/auth/recent.js'
import { RevokedTokens } from '../../plugins/auth/revoked-tokens.js'
import { MAX_TICKETS, TICKET_MS } from '../../plugins/auth/tickets.js'
import { MemoryTickets } from '../../plugins/auth/tickets-memory.js'

describe('revoked token ids', () => {
  it('are at most 10,000: the one revoked first goes, and that is told', () => {
    let dropped = 0
    const ids = new RevokedTokens(() => dropped++)
    for (let i = 0; i < 10_000; i++) ids.add(`t${i}`, 0)
    ids.add('t0', 0)
    expect([ids.size, dropped]).toEqual([10_000, 0])
    ids.add('one more', 0)
    expect([ids.size, dropped]).toEqual([10_000, 1])
    expect(['t0', 't1', 't2', 'one more'].map((id) => ids.has(id, 1))).toEqual([true, false, true, true])
  })

  it('whose tokens have ended make room first', () => {
    const ids = new RevokedTokens(() => expect.unreachable('none is dropped'))
    for (let i = 0; i < 10_000; i++) ids.add(`t${i}`, 0, i % 2 === 0 ? 1000 : 10_000)
    ids.add('one more', 1000)
    expect(ids.size).toBe(5001)
  })

  it('stay as long as the longest end that was said', () => {
    const ids = new RevokedTokens(() => {})
    ids.add('t', 0, 5000)
    ids.add('t', 0, 1000)
    expect([ids.has('t', 4999), ids.has('t', 5000), ids.size]).toEqual([true, false, 0])
  })
})

describe('recent revocations', () => {
  it('are found by who began before them, by any of their keys, the strictest first', () => {
    const recent = new RecentRevocations()
    const before = recent.count
    recent.add('user ann', 'check', 0)
    const between = recent.count
    recent.add('token t', 'close', 0)
    expect(recent.since(before, ['user ann'])).toBe('check')
    expect(recent.since(before, ['user ann', 'token t'])).toBe('close')
    expect(recent.since(between, ['user ann'])).toBeUndefined()
    expect(recent.since(between, ['user ann', 'token t'])).toBe('close')
    expect(recent.since(recent.count, ['user ann', 'token t'])).toBeUndefined()
    expect(recent.since(before, ['user ben'])).toBeUndefined()
    // A check that follows does not undo a closing that nobody has seen yet.
    recent.add('token t', 'check', 0)
    expect(recent.since(between, ['token t'])).toBe('close')
  })

  it('are at most 10,000: who began before one that was dropped authenticates again', () => {
    const recent = new RecentRevocations()
    const before = recent.count
    for (let i = 0; i < 10_000; i++) recent.add(`user ${i}`, 'close', 0)
    expect(recent.since(before, ['user ben'])).toBeUndefined()
    recent.add('user ann', 'close', 0)
    expect(recent.since(before, ['user ben'])).toBe('reauthenticate')
    expect(recent.since(before, ['user 1'])).toBe('close')
    expect(recent.since(recent.count, ['user ben'])).toBeUndefined()
  })

  it('are forgotten once every handshake of their time is over', () => {
    const recent = new RecentRevocations()
    const before = recent.count
    recent.add('user ann', 'close', 0)
    recent.add('user ben', 'close', 119_999)
    expect(recent.since(before, ['user ann'])).toBe('close')
    recent.add('user ben', 'close', 120_000)
    expect(recent.since(before, ['user ann'])).toBeUndefined()
    expect(recent.since(before, ['user ben'])).toBe('close')
  })
})

describe('tickets', () => {
  it('are at most 10,000 on a node, and all make room when they are too old', async () => {
    const clock = createClock()
    const tickets = new MemoryTickets(clock)
    for (let i = 0; i < MAX_TICKETS; i++) await tickets.issue({ id: `user${i}` })
    await expect(tickets.issue({ id: 'ann' })).rejects.toMatchObject({ status: 503, retryAfter: 30 })
    clock.advance(TICKET_MS)
    await tickets.issue({ id: 'ann' })
    expect([tickets.size, tickets.users]).toEqual([1, 1])
  })
})
