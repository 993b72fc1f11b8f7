import { describe, expect, it } from 'vitest'
import { harness } from './support/harness.js'

const BEAT = [10]

describe('the watchdog', () => {
  it('answers BEAT with BEAT', async () => {
    const made = harness()
    const socket = await made.open()
    socket.receive([26], [26])
    expect(socket.of(10)).toEqual([BEAT, BEAT])
  })

  it('closes with 4000 after two heartbeats of silence, and comes back at once', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 10_000 })
    await made.clock.advance(19_999)
    expect(made.client.connection.state).toBe('open')
    await made.clock.advance(1)
    expect(socket.closedBy).toEqual({ code: 4000, reason: 'no BEAT in time' })
    expect(socket.of(10)).toEqual([])
    expect(made.client.connection.get()).toMatchObject({ state: 'connecting', closed: { code: 4000 } })
    expect(made.sockets.length).toBe(2)
  })

  it('is content with anything that comes in', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 10_000 })
    for (let i = 0; i < 20; i++) {
      await made.clock.advance(15_000)
      socket.receive([21, 'news', i])
    }
    expect(made.client.connection.state).toBe('open')
    await made.clock.advance(20_000)
    expect(made.client.connection.state).toBe('connecting')
  })

  it('probes once where its timer came late, and stays when it is answered', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 10_000 })
    made.clock.late = 60_000
    await made.clock.advance(20_000)
    made.clock.late = 0
    expect(socket.of(10)).toEqual([BEAT])
    expect(made.client.connection.state).toBe('open')
    // The answer to the probe is not answered: two sides that answer answers would never stop.
    socket.receive([26])
    expect(socket.of(10)).toEqual([BEAT])
    await made.clock.advance(19_999)
    expect(made.client.connection.state).toBe('open')
    socket.receive([26])
    expect(socket.of(10)).toEqual([BEAT, BEAT])
  })

  it('gives up where the probe is not answered either', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 10_000 })
    made.clock.late = 60_000
    await made.clock.advance(20_000)
    made.clock.late = 0
    await made.clock.advance(4999)
    expect(made.client.connection.state).toBe('open')
    await made.clock.advance(1)
    expect(socket.closedBy?.code).toBe(4000)
  })

  it('probes once, however late the second timer is', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 10_000 })
    made.clock.late = 60_000
    await made.clock.advance(100_000)
    expect(socket.of(10)).toEqual([BEAT])
    expect(socket.closedBy?.code).toBe(4000)
  })

  it('takes 1.5 s for on time, and more for late', async () => {
    for (const [late, probes] of [
      [1500, 0],
      [1501, 1],
    ] as const) {
      const made = harness()
      const socket = await made.open({ heartbeat: 10_000 })
      await made.clock.advance(10_000)
      made.clock.late = late
      await made.clock.advance(10_000)
      expect(socket.of(10).length).toBe(probes)
    }
  })

  it('needs no heartbeat of a server that has none, and no more than one timer otherwise', async () => {
    const made = harness()
    await made.open({ heartbeat: 0 })
    await made.clock.advance(1_000_000)
    expect(made.client.connection.state).toBe('open')
    expect(made.clock.pending).toBe(0)
    const other = harness()
    const socket = await other.open({ heartbeat: 10_000 })
    await other.clock.advance(11_000)
    for (let i = 0; i < 100; i++) socket.receive([26])
    expect(other.clock.pending).toBe(1)
  })
})
