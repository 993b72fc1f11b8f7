import { describe, expect, it } from 'vitest'
import { harness, settled } from './support/harness.js'

const WANTED = [25, 'wanted', 30_000] as const

describe('a fresh token', () => {
  it('is offered only by a client that can get one', async () => {
    const [without, withToken] = [harness(), harness({ token: () => 'a' })]
    expect((await without.open()).frames[0]?.[4]).toEqual(['goaway'])
    expect((await withToken.open()).frames[0]?.[4]).toEqual(['goaway', 'token'])
  })

  it('is asked for once at a time', async () => {
    const given: ((token: string) => void)[] = []
    const made = harness({ token: () => new Promise((give) => given.push(give)) })
    made.client.connection.connect()
    given[0]?.('first')
    const socket = await made.open()
    socket.receive([...WANTED], [...WANTED])
    await settled()
    expect(given.length).toBe(2)
    given[1]?.('second')
    await settled()
    expect(socket.of(9)).toEqual([[9, 'second']])
    socket.receive([25, 'accepted', 60_000])
    socket.receive([...WANTED])
    given[2]?.('third')
    await settled()
    expect(socket.of(9)).toEqual([
      [9, 'second'],
      [9, 'third'],
    ])
  })

  it('that cannot be had is tried again with backoff, and told once', async () => {
    let fail = false
    let asked = 0
    const made = harness({
      token: () => {
        asked++
        if (fail) throw new Error('no session')
        return `token ${asked}`
      },
    })
    const socket = await made.open()
    fail = true
    socket.receive([...WANTED])
    await made.clock.advance(250 + 500 + 1000)
    expect(asked).toBe(5)
    expect(made.errors).toEqual([new Error('no session')])
    expect(made.client.connection.state).toBe('open')
    fail = false
    await made.clock.advance(2000)
    expect(socket.of(9)).toEqual([[9, 'token 6']])
    // It was over: the next outage is told again.
    fail = true
    socket.receive([...WANTED])
    await settled()
    expect(made.errors.length).toBe(2)
  })

  it('is not asked for any more once its connection has ended, and by the next one afresh', async () => {
    let fail = false
    let asked = 0
    const made = harness({
      token: () => {
        asked++
        if (fail) throw new Error('no session')
        return `token ${asked}`
      },
    })
    const socket = await made.open()
    await made.clock.advance(10_000)
    fail = true
    socket.receive([...WANTED])
    await settled()
    fail = false
    socket.end(4002, 'token expired')
    await settled()
    made.socket.open()
    expect(made.socket.frames[0]?.[5]).toBe('token 3')
    await made.clock.advance(9000)
    expect(asked).toBe(3)
    expect(socket.of(9)).toEqual([])
  })

  it('that never comes keeps nothing alive', async () => {
    let asked = 0
    const made = harness({ token: () => (++asked === 1 ? 'a' : new Promise<string>(() => {})) })
    const socket = await made.open({ heartbeat: 0 })
    await made.clock.advance(10_000)
    socket.receive([...WANTED])
    made.client.close()
    socket.end(1000)
    expect(made.clock.pending).toBe(0)
  })

  it('that fails when its connection has ended is not asked for again', async () => {
    let refuse = (_: Error): void => {}
    let asked = 0
    const made = harness({
      token: () => (++asked === 1 ? 'a' : new Promise<string>((_, reject) => (refuse = reject))),
    })
    const socket = await made.open({ heartbeat: 0 })
    socket.receive([...WANTED])
    made.client.close()
    socket.end(1000)
    refuse(new Error('no session'))
    await made.clock.advance(60_000)
    expect(asked).toBe(2)
    expect(made.clock.pending).toBe(0)
  })

  it('that fails over and over is told once per outage, however many attempts it costs', async () => {
    let fail = true
    const made = harness({
      token: () => {
        if (fail) throw new Error('no session')
        return 'a'
      },
    })
    made.client.connection.connect()
    await made.clock.advance(60_000)
    expect(made.client.connection.get().attempt).toBeGreaterThan(5)
    // What the application says of its own failure is for `onError`.
    expect(made.client.connection.get().closed).toEqual({ code: 1006, reason: 'token() failed' })
    expect(made.errors).toEqual([new Error('no session')])
    fail = false
    await made.clock.advance(30_000)
    made.socket.open()
    fail = true
    made.socket.end(1006)
    await made.clock.advance(60_000)
    expect(made.errors.length).toBe(2)
  })

  it('that fails with what cannot be a text counts as any other failure', async () => {
    const odd: unknown = Object.create(null)
    const made = harness({ token: () => Promise.reject(odd) })
    made.client.connection.connect()
    await settled()
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', retryIn: 250 })
    expect(made.errors).toEqual([odd])
  })

  it('of another user closes the connection with a code the application can see', async () => {
    const made = harness({ token: () => 'bob' })
    const socket = await made.open()
    socket.receive([...WANTED])
    await settled()
    socket.end(4510, 'the fresh token is of another user')
    expect(made.client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 4510 } })
  })

  it('goes to the connection that wanted it, the one to be left too', async () => {
    let asked = 0
    const made = harness({ token: () => `token ${++asked}` })
    const old = await made.open()
    await made.clock.advance(10_000)
    void made.client.calls.get.result({})
    old.receive([28, 'restart', 4000])
    await settled()
    old.receive([...WANTED])
    await settled()
    expect(old.of(9)).toEqual([[9, 'token 3']])
    made.socket.open()
    expect(made.socket.frames[0]?.[5]).toBe('token 2')
  })
})
