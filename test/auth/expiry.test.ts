import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { hello } from './support.js'

afterEach(abortAll)

/** A server where a token is its own end, in milliseconds from the start. */
async function serve() {
  const clock = createClock()
  const start = clock.wall()
  const server = await startServer({
    clock,
    namespace: {
      authenticate: ({ token }) => ({ id: 'ann', role: 'member', expiresAt: start + Number(token) }),
    },
  })
  return { ...server, clock }
}

describe('a token that runs out', () => {
  it('ends its connection with 4002, and no other', async () => {
    const { clock, enter, live } = await serve()
    const [short, long] = [await enter('10000'), await enter('1000000')]
    clock.advance(9999)
    await short.ping()
    expect([...live.connections()]).toHaveLength(2)
    clock.advance(1)
    expect(await short.closed()).toEqual({ code: 4002, reason: 'token expired; come back with a fresh one' })
    long.send([2, 1, 'echo', { text: 'hi' }])
    await long.next(18)
    expect([...live.connections()]).toHaveLength(1)
  })

  it('is ended by time that passed, not by a wall clock that was set', async () => {
    const { clock, enter } = await serve()
    const client = await enter('60000')
    const began = clock.wall()
    clock.setWall(began + 86_400_000)
    clock.advance(10_000)
    client.send([2, 1, 'echo', { text: 'hi' }])
    await client.next(18)
    clock.setWall(began - 86_400_000)
    clock.advance(10_000)
    client.send([10])
    await client.ping()
    clock.advance(40_000)
    expect((await client.closed()).code).toBe(4002)
  })

  it('ends its connection at its time, whenever the heartbeat looks, and each at its own', async () => {
    const { clock, enter, live } = await serve()
    const [late, early] = [await enter('12001'), await enter('10001')]
    clock.advance(10_001)
    expect((await early.closed()).code).toBe(4002)
    expect([...live.connections()]).toHaveLength(1)
    clock.advance(2000)
    expect((await late.closed()).code).toBe(4002)
  })

  it('lets nothing more run, even where its timer is late', async () => {
    const { clock, enter, probe } = await serve()
    const client = await enter('10000')
    clock.sleep(10_000)
    client.send([2, 1, 'echo', { text: 'too late' }])
    expect((await client.closed()).code).toBe(4002)
    expect(probe.log).toEqual([])
  })

  it('between its check and HELLO ends the connection with 4002, so that the client comes back with a fresh one', async () => {
    const { clock, connect, probe, live } = await serve()
    const client = await connect({ headers: { authorization: 'Bearer 1000' } })
    clock.advance(1000)
    client.send(hello())
    client.send([2, 1, 'echo', { text: 'hi' }])
    expect((await client.closed()).code).toBe(4002)
    expect([client.frames, probe.log, [...live.connections()]]).toEqual([[], [], []])
  })
})
