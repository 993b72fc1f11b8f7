import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { settle } from '../drain/support.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { contract, type ServerOptions, startServer } from '../support/server.js'
import { eventually, fill } from './support.js'

afterEach(abortAll)

const HEARTBEAT = 25_000
/** A silence is found at most this much late. */
const LOOK = HEARTBEAT / 5

async function serve(options: ServerOptions = {}) {
  const clock = createClock()
  const server = await startServer({ clock, heartbeat: HEARTBEAT, ...options })
  /** Lets time pass, look by look: what is sent in one has left before the next. */
  async function pass(ms: number, client: RawClient): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK) {
      clock.advance(Math.min(left, LOOK))
      await settled(client)
    }
  }
  return { clock, pass, ...server }
}

const beats = (client: RawClient): number => client.frames.filter(([type]) => type === 26).length
/** What was sent so far has been read, on both sides. */
const settled = (client: RawClient): Promise<void> => client.ping()

describe('BEAT', () => {
  it('is sent after an interval of silence, not before', async () => {
    const { pass, enter } = await serve()
    const client = await enter('ann')
    await pass(HEARTBEAT - 1, client)
    expect(beats(client)).toBe(0)
    await pass(LOOK + 1, client)
    expect(await client.next(26)).toEqual([26])
  })

  it('keeps a connection that answers, and an answer is not answered', async () => {
    const { pass, enter } = await serve()
    const client = await enter('ann')
    for (let n = 1; n <= 20; n++) {
      await pass(HEARTBEAT + LOOK, client)
      await client.next(26)
      client.send([10])
      await settled(client)
      expect(beats(client)).toBe(n)
    }
    client.send([2, 1, 'echo', { text: 'still here' }])
    expect(await client.next(18)).toEqual([18, 1, { text: 'still here' }])
  })

  it('of a client that asks by itself is answered, each time once', async () => {
    const { enter } = await serve()
    const client = await enter('ann')
    for (let n = 1; n <= 3; n++) {
      client.send([10])
      await client.next(26)
      await settled(client)
      expect(beats(client)).toBe(n)
    }
  })

  it('of both sides at once is an answer to each of them', async () => {
    const { pass, enter } = await serve()
    const client = await enter('ann')
    await pass(HEARTBEAT + LOOK, client)
    // The client's own left before it saw the server's.
    client.send([10])
    await client.next(26)
    await settled(client)
    expect(beats(client)).toBe(1)
    // From here on it is a probe again.
    client.send([10])
    await client.next(26)
  })

  it('sent twice before its answers takes both of them as answers', async () => {
    const { clock, pass, enter } = await serve()
    const client = await enter('ann')
    clock.advance(LOOK)
    // From here on the two directions are silent one look apart.
    client.send([2, 1, 'nudge', { name: '' }])
    await settled(client)
    await pass(6 * LOOK, client)
    expect(beats(client)).toBe(2)
    for (const message of [[10], [10]]) client.send(message)
    await settled(client)
    expect(beats(client)).toBe(2)
    // From here on it is a probe again.
    client.send([10])
    await settled(client)
    expect(beats(client)).toBe(3)
  })

  it('is not sent to a connection that is busy both ways', async () => {
    const { clock, enter } = await serve()
    const client = await enter('ann')
    for (let seq = 1; seq <= 40; seq++) {
      client.send([2, seq, 'echo', { text: '' }])
      await client.next(18)
      clock.advance(LOOK)
    }
    await settled(client)
    expect(beats(client)).toBe(0)
  })

  it('is sent to one that only talks, so that it hears something', async () => {
    const { clock, enter } = await serve()
    const client = await enter('ann')
    for (let seq = 1; seq <= 12; seq++) {
      client.send([2, seq, 'nudge', { name: '' }])
      await settled(client)
      clock.advance(LOOK)
    }
    await settled(client)
    expect(beats(client)).toBe(2)
  })

  it('is not sent to one that reads too slowly, and is no message that was dropped', async () => {
    const { clock, enter, gateway } = await serve({ maxBuffered: 131_072 })
    const client = await enter('ann')
    client.pause()
    const [connection] = gateway.sockets
    await fill(connection)
    await settle()
    const { dropped } = gateway.counters
    clock.advance(HEARTBEAT + LOOK)
    clock.advance(LOOK)
    // What is dropped may be counted when the turn is over.
    await settle()
    expect([connection?.phase, connection?.beats]).toEqual(['open', 0])
    expect(gateway.counters.dropped).toBe(dropped)
  })

  it('is not sent before WELCOME', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { clock, connect, gateway, enter } = await serve({
      heartbeat: 1000,
      handshakeTimeout: 60_000,
      after: (app) =>
        app.ackordGateway.addHook('onConnect', ({ user }) => (user.id === 'slow' ? gate : undefined)),
    })
    await enter('other')
    const client = await connect()
    client.send([1, 's', contract.hash, '1.0.0', [], 'slow'])
    await eventually(() => expect([...gateway.sockets].map(({ phase }) => phase)).toContain('opening'))
    clock.advance(10_000)
    await settled(client)
    release()
    expect((await client.next())[0]).toBe(17)
  })
})

describe('a connection whose peer is silent', () => {
  it('is closed with 4000 after two intervals, not before', async () => {
    const { clock, pass, enter, live } = await serve()
    const client = await enter('ann')
    await pass(2 * HEARTBEAT - 1, client)
    expect([...live.connections()]).toHaveLength(1)
    clock.advance(LOOK + 1)
    expect(await client.closed()).toEqual({ code: 4000, reason: 'no BEAT in time' })
    expect(beats(client)).toBe(1)
  })

  it('is closed however much is sent to it', async () => {
    const { clock, enter, live } = await serve()
    const client = await enter('ann')
    for (let n = 0; n < 11; n++) {
      expect([...live.connections()]).toHaveLength(1)
      live.all.send('notice', { id: `${n}`, text: 'something' })
      await client.nextWhere(
        ([type, , payload]) => type === 21 && (payload as { id: string }).id === `${n}`,
        'it',
      )
      clock.advance(LOOK)
    }
    expect((await client.closed()).code).toBe(4000)
    expect(beats(client)).toBe(1)
  })

  it('is heard again by any message, ignored ones included', async () => {
    const { clock, enter } = await serve()
    const client = await enter('ann')
    for (const message of [[64], [3, 99], [2, 1, 'nudge', { name: '' }]]) {
      clock.advance(2 * HEARTBEAT - LOOK)
      client.send(message)
      await settled(client)
    }
    clock.advance(HEARTBEAT)
    client.send([2, 1, 'echo', { text: '' }])
    await client.next(18)
  })

  it('is not taken for dead where it is we who do not read it', async () => {
    const { clock, enter, gateway, probe } = await serve({ inFlight: 1, callTimeout: 3_600_000 })
    const client = await enter('ann')
    for (const seq of [1, 2]) client.send([2, seq, 'wait', { name: `long ${seq}` }])
    await eventually(() => expect([...gateway.sockets].map(({ paused }) => paused)).toEqual([true]))
    for (let n = 0; n < 50; n++) clock.advance(LOOK)
    for (const seq of [1, 2]) {
      probe.release(`long ${seq}`)
      await client.next(18)
    }
    client.send([10])
    client.send([2, 3, 'echo', { text: 'hi' }])
    expect(await client.next(18)).toEqual([18, 3, { text: 'hi' }])
  })

  it('is given its time after a sleep of the server', async () => {
    const { clock, enter } = await serve()
    const client = await enter('ann')
    clock.sleep(3_600_000)
    clock.advance(0)
    client.send([2, 1, 'echo', { text: 'hi' }])
    expect(await client.next(18)).toEqual([18, 1, { text: 'hi' }])
  })
})

describe('the timer', () => {
  it('is one for all connections, and none where there are none', async () => {
    const { clock, enter, gateway } = await serve()
    expect(clock.pending).toBe(0)
    const clients: RawClient[] = []
    for (let n = 0; n < 20; n++) clients.push(await enter(`user${n}`))
    expect(clock.pending).toBe(1)
    for (const client of clients) client.abort()
    await eventually(() => expect(gateway.sockets.size).toBe(0))
    clock.advance(LOOK)
    expect(clock.pending).toBe(0)
    // And it starts again.
    const client = await enter('ann')
    clock.advance(HEARTBEAT + LOOK)
    await client.next(26)
  })
})
