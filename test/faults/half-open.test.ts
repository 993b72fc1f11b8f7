import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../../client/index.js'
import { createClock } from '../../client/testing/clock.js'
import type { Clock } from '../../contract/clock.js'
import { eventually } from '../gateway/support.js'
import { abortAll, connect } from '../support/raw-client.js'
import { contract, type ServerOptions, startServer } from '../support/server.js'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js'

afterEach(abortAll)

const HEARTBEAT = 10_000
const LOOK = HEARTBEAT / 5

async function serve(options: ServerOptions = {}) {
  const server = await startServer({ heartbeat: HEARTBEAT, ...options })
  const proxy = await startProxy(server.port)
  return { ...server, proxy, through: proxy.through(server.url) }
}

/** The runtime behind a generated client, through the proxy, and what it went through. */
function runtime(url: string, clock?: Clock) {
  const descriptor = { name: 'test', version: '1.0.0', hash: contract.hash, calls: {}, events: {}, rooms: {} }
  const states: string[] = []
  const client = createClient<object, object, object>(descriptor, url, {
    token: () => 'ann',
    WebSocket,
    random: () => 0,
    ...(clock && { clock }),
  })
  onTestFinished(() => client.close())
  const { connection } = client
  connection.subscribe(() => states.push(connection.get().state))
  connection.connect()
  return { states, state: () => connection.get().state, closed: () => connection.get().closed }
}

describe('a link that goes silent', () => {
  it.each(['up', 'down'] as const)('%s only, or both ways, is found by the server', async (direction) => {
    const clock = createClock()
    const { proxy, through, live, gateway } = await serve({ clock })
    const client = await connect(through)
    client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
    await client.next(17)
    await client.ping()
    proxy.silence(direction)
    // What a client that hears nothing would not answer, and what a server that hears nothing would not know.
    clock.advance(2 * HEARTBEAT)
    expect([...live.connections()]).toHaveLength(1)
    clock.advance(LOOK)
    expect([...live.connections()]).toHaveLength(0)
    proxy.heal()
    expect((await client.closed()).code).toBe(4000)
    await eventually(() => expect(gateway.sockets.size).toBe(0))
  })

  it('is found by the server where nobody ever answers its Close', async () => {
    const clock = createClock()
    const { proxy, through, gateway, live } = await serve({ clock })
    const client = await connect(through)
    client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
    await client.next(17)
    proxy.silence()
    for (let i = 0; i <= 10; i++) clock.advance(LOOK)
    expect([...live.connections()]).toHaveLength(0)
    await eventually(() => expect(gateway.sockets.size).toBe(0))
  })

  it('is found by the client, which comes back when it can', async () => {
    const clock = createClock()
    const { proxy, through, live } = await serve()
    const client = runtime(through, clock)
    await eventually(() => expect(client.state()).toBe('open'))
    const [before] = live.connections()
    proxy.silence('down')
    clock.advance(2 * HEARTBEAT - 1)
    expect(client.state()).toBe('open')
    clock.advance(1)
    expect([client.state(), client.closed()?.code]).toEqual(['connecting', 4000])
    proxy.heal()
    await eventually(() => {
      clock.advance(100)
      expect(client.state()).toBe('open')
    })
    await eventually(() => {
      const now = [...live.connections()]
      expect([now.length, now[0] === before]).toEqual([1, false])
    })
  })

  it('that is only slow is kept by both', async () => {
    const { proxy, through } = await serve({ heartbeat: 1000 })
    const client = runtime(through)
    await eventually(() => expect(client.state()).toBe('open'))
    proxy.delay(300)
    await beats(proxy, 3)
    expect(client.states.filter((state) => state !== 'open' && state !== 'connecting')).toEqual([])
    expect(client.state()).toBe('open')
  })

  it('is found by both within their bound when nothing else happens', async () => {
    const clock = createClock()
    const { proxy, through, live } = await serve({ clock })
    const client = runtime(through, clock)
    await eventually(() => expect(client.state()).toBe('open'))
    const found = () => [client.closed()?.code, [...live.connections()].length]
    proxy.silence()
    clock.advance(2 * HEARTBEAT - 1)
    expect(found()).toEqual([undefined, 1])
    clock.advance(1)
    expect(found()).toEqual([4000, 1])
    clock.advance(LOOK)
    expect(found()).toEqual([4000, 0])
  })

  it('is found by both by real clocks, too, however long that takes', async () => {
    const { proxy, through, live } = await serve({ heartbeat: 1000 })
    const client = runtime(through)
    await eventually(() => expect(client.state()).toBe('open'))
    proxy.silence()
    await eventually(() => expect([...live.connections()]).toHaveLength(0))
    await eventually(() => expect(client.state()).not.toBe('open'))
  })

  it('for a moment loses nothing', async () => {
    const { proxy, through, live } = await serve()
    const client = await connect(through)
    client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
    await client.next(17)
    proxy.silence()
    for (let seq = 1; seq <= 20; seq++) client.send([2, seq, 'echo', { text: `${seq}` }])
    for (let i = 1; i <= 20; i++) live.user('ann').send('notice', { id: `${i}`, text: '' })
    proxy.heal()
    for (let seq = 1; seq <= 20; seq++) expect((await client.next(18))[1]).toBe(seq)
    for (let i = 1; i <= 20; i++) expect((await client.next(21))[2]).toMatchObject({ id: `${i}` })
  })
})

describe('a link that is cut in the middle of a frame', () => {
  it.each(['up', 'down'] as const)('%s ends the connection and nothing else', async (direction) => {
    const { proxy, through, live, gateway, lines, probe } = await serve()
    const client = await connect(through)
    client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
    await client.next(17)
    await client.ping()
    for (const link of proxy.links) link.cutAfter(20, direction)
    const text = 'x'.repeat(900)
    if (direction === 'up') client.send([2, 1, 'echo', { text }])
    else live.user('ann').send('notice', { id: '1', text })
    expect((await client.closed()).code).toBe(1006)
    await eventually(() => expect(gateway.sockets.size).toBe(0))
    expect([client.frames.length, probe.log]).toEqual([1, []])
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })
})

/** So many times something more went from the client to the server. */
async function beats(proxy: TcpProxy, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const passed = (): number => [...proxy.links].reduce((sum, { up }) => sum + up.passed, 0)
    const before = passed()
    await eventually(() => expect(passed()).toBeGreaterThan(before))
  }
}
