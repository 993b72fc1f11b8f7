import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { eventually } from '../gateway/support.js'
import { abortAll } from '../support/raw-client.js'
import { type Member, type ServerOptions, startServer } from '../support/server.js'
import { enterWithTokens, outcome, settled } from './support.js'

afterEach(abortAll)

/** A server where a token is `user:end`, the end in ms since 1970. */
async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const server = await startServer({
    clock,
    heartbeat: 300_000,
    ...options,
    namespace: {
      authenticate: ({ token }) => {
        const [id = '', end] = token.split(':')
        return { id, role: 'member', tokenId: id, ...(end && { expiresAt: Number(end) }) }
      },
      ...options.namespace,
    },
  })
  const said = () =>
    server.lines.filter(({ level, msg }) => Number(level) >= 40 && String(msg).includes('expiresAt'))
  return Object.assign(server, { clock, said })
}

describe('an end in seconds', () => {
  it('of authenticate refuses, and the log says why, once a minute', async () => {
    const server = await serve()
    const soon = Math.floor(server.clock.wall() / 1000) + 3600
    const bearer = { headers: { authorization: `Bearer ann:${soon}` } }
    expect(await outcome(server, bearer)).toBe(401)
    expect(await outcome(server, { inHello: `ben:${soon}` })).toBe(4506)
    expect(server.said()).toEqual([expect.objectContaining({ msg: expect.stringContaining('in ms') })])
    server.clock.advance(60_000)
    expect(await outcome(server, bearer)).toBe(401)
    expect(server.said()).toHaveLength(2)
  })

  it('that is only past is a token that ended, and no word in the log', async () => {
    const server = await serve()
    expect(await outcome(server, { inHello: `ann:${server.clock.wall() - 1}` })).toBe(4506)
    expect(server.said()).toEqual([])
  })

  it('of reauthorize ends the connection, and the log says why', async () => {
    const soon = Math.floor(createClock().wall() / 1000) + 3600
    const reauthorize = (user: Member): Member => ({ ...user, expiresAt: soon })
    const server = await serve({ namespace: { reauthorize } })
    const client = await server.enter('ann')
    expect(await server.live.revoke({ user: 'ann' }, { mode: 'reauthorize' })).toBe(1)
    server.clock.advance(1)
    expect((await client.closed()).code).toBe(4002)
    expect(server.said()).toHaveLength(1)
  })

  it('of a revoked token is refused, as is any that is past or no number, and nothing is revoked', async () => {
    const { live, enter, clock } = await serve()
    const client = await enter('ann')
    const seconds = Math.floor(clock.wall() / 1000) + 3600
    for (const expiresAt of [seconds, clock.wall(), Number.NaN, 'tomorrow', null])
      await expect(live.revoke({ tokenId: 'ann', expiresAt: expiresAt as number })).rejects.toMatchObject({
        code: 'ACKORD_INVALID_OPTION',
        message: expect.stringContaining('in ms'),
      })
    await settled(client)
    expect(await live.revoke({ tokenId: 'ann', expiresAt: clock.wall() + 1 })).toBe(1)
  })
})

describe('a fresh token', () => {
  it('is asked for no later than `tokenLead` ahead, also where the shortest lead meets another connection', async () => {
    const server = await serve({ tokenLead: 1000 })
    const start = server.clock.wall()
    const first = await enterWithTokens(server, `ann:${start + 10_000}`, 'a')
    const second = await enterWithTokens(server, `ben:${start + 10_900}`, 'b')
    // What is asked of the first at 9000 puts off the next look to 10000; the second is due at 9900.
    server.clock.advance(9900)
    await Promise.all([settled(first), settled(second)])
    const asked = second.frames.filter(([type]) => type === 25)
    expect(asked).toEqual([[25, 'wanted', expect.any(Number)]])
    second.send([9, `ben:${start + 60_000}`])
    await second.nextWhere(([type, what]) => type === 25 && what === 'accepted', 'the token taken')
    server.clock.advance(5000)
    await settled(second)
    await eventually(() => expect([...server.live.connections()].map(({ user }) => user.id)).toEqual(['ben']))
  })
})
