import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { Refusal } from '../../plugins/index.js'
import { abortAll } from '../support/raw-client.js'
import { contract, startServer } from '../support/server.js'
import { echo, hello, serveSlowly } from './slow-server.js'
import { eventually } from './support.js'

afterEach(abortAll)

describe('WELCOME', () => {
  it('repeats the session and says limits, features, verdict and time', async () => {
    const clock = createClock({ wall: 1_767_225_600_123 })
    const server = await startServer({ clock, inFlight: 7, maxPayload: 2048, heartbeat: 10_000 })
    const client = await server.connect()
    client.send(hello('A-z_09', 'ann'))
    const limits = { inFlight: 7, bytes: 2048, heartbeat: 10_000 }
    expect(await client.next()).toEqual([17, 'A-z_09', limits, [], 'same', 1_767_225_600_123])
  })

  it('says that the contract is another one, and refuses nothing for it', async () => {
    const server = await startServer()
    const client = await server.connect()
    client.send(hello('s', 'ann', 'of another contract'))
    expect(await client.next()).toMatchObject({ 4: 'other' })
    client.send(echo(1))
    expect(await client.next()).toEqual([18, 1, { text: '1' }])
  })

  it('comes first, whatever is sent to everybody meanwhile', async () => {
    const { connect, release, live } = await serveSlowly()
    const client = await connect()
    client.send(hello('s', 'ann'))
    await client.ping()
    live.all.send('notice', { id: '1', text: 'to all' })
    live.user('ann').send('notice', { id: '2', text: 'to ann' })
    release()
    expect((await client.next())[0]).toBe(17)
    live.user('ann').send('notice', { id: '3', text: 'to ann' })
    expect(await client.next()).toEqual([21, 'notice', { id: '3', text: 'to ann' }])
  })
})

describe('a connection that says', () => {
  const wrong: ReadonlyArray<
    readonly [what: string, code: number, ...frames: ReadonlyArray<readonly unknown[]>]
  > = [
    ['a call before HELLO', 4502, echo(1), hello('s', 'ann')],
    ['a join before HELLO', 4502, [6, 1, 'channel', { id: 'a' }], hello('s', 'ann')],
    ['BEAT before HELLO', 4502, [10], hello('s', 'ann')],
    ['TOKEN before HELLO', 4502, [9, 'ann'], hello('s', 'ann')],
    ['HELLO twice at once', 4502, hello('s', 'ann'), hello('s', 'ann')],
    ['HELLO behind its first calls', 4502, hello('s', 'ann'), echo(1), hello('s', 'ann')],
    ['HELLO without a session', 4500, hello('', 'ann')],
    ['a session of 65 characters', 4500, hello('x'.repeat(65), 'ann')],
    ['a session with a space', 4500, hello('a b', 'ann')],
    ['a session with a line', 4500, hello('a\n', 'ann')],
    ['a session beyond ASCII', 4500, hello('é', 'ann')],
    ['a session that is a number', 4500, hello(7, 'ann')],
    ['HELLO without features', 4500, [1, 's', contract.hash, '1.0.0']],
    ['HELLO with 65 features', 4500, [1, 's', contract.hash, '1.0.0', Array(65).fill('f')]],
    ['HELLO with a token that is a number', 4500, [1, 's', contract.hash, '1.0.0', [], 7]],
  ]
  for (const [what, code, ...frames] of wrong) {
    it(`${what} is closed with ${code}, and nothing of it runs`, async () => {
      const server = await startServer()
      const client = await server.connect()
      for (const frame of frames) client.send(frame)
      expect((await client.closed()).code).toBe(code)
      expect(server.probe.log).toEqual([])
      expect(client.frames).toEqual([])
      await eventually(() => expect(server.gateway.sockets.size).toBe(0))
      expect(server.gateway.handshakes.size).toBe(0)
      // The server is there for others.
      await server.enter('ben')
    })
  }

  it('HELLO again when it is open is closed with 4502', async () => {
    const server = await startServer()
    const client = await server.enter('ann', 's')
    client.send(hello('s', 'ann'))
    expect((await client.closed()).code).toBe(4502)
  })

  it('something this version does not know before HELLO is not refused for it', async () => {
    const server = await startServer()
    const client = await server.connect()
    client.send([64, 'of a later version'])
    client.send([...hello('s', 'ann'), 'and', { more: 1 }])
    expect((await client.next())[0]).toBe(17)
  })

  it('nothing is closed with 4001 when its time is over', async () => {
    const clock = createClock()
    const server = await startServer({ clock, handshakeTimeout: 2000 })
    const mute = await server.connect()
    const late = await server.connect()
    clock.advance(1999)
    late.send(hello('late', 'ann'))
    await late.next(17)
    clock.advance(1)
    expect((await mute.closed()).code).toBe(4001)
    clock.advance(10_000)
    late.send(echo(1))
    expect(await late.next(18)).toEqual([18, 1, { text: '1' }])
    expect(server.gateway.handshakes.size).toBe(0)
  })

  it('nothing is closed each at its own time', async () => {
    const clock = createClock()
    const server = await startServer({ clock })
    const first = await server.connect()
    clock.advance(2000)
    const second = await server.connect()
    clock.advance(3000)
    expect((await first.closed()).code).toBe(4001)
    clock.advance(1999)
    await second.ping()
    expect(server.gateway.handshakes.size).toBe(1)
    clock.advance(1)
    expect((await second.closed()).code).toBe(4001)
    expect(clock.pending).toBe(0)
  })

  it('HELLO in time, but whose token is not looked at in time, is closed with 4001 and never opens', async () => {
    const clock = createClock()
    const { connect, release, asked, gateway, probe, enter } = await serveSlowly({ clock })
    const client = await connect()
    client.send(hello('s', 'ann'))
    client.send(echo(1))
    await asked(1)
    clock.advance(5000)
    expect((await client.closed()).code).toBe(4001)
    release()
    await enter('ben')
    expect([client.frames, probe.log]).toEqual([[], []])
    const [mount] = gateway.paths.values()
    expect([...(mount?.connections ?? [])].map(({ user }) => user.id)).toEqual(['ben'])
  })
})

describe('onConnect', () => {
  const cases: ReadonlyArray<readonly [what: string, error: unknown, code: number, logged: boolean]> = [
    ['an Error', new Error('a secret of the hook'), 1011, true],
    ['a Refusal of 403', new Refusal(403, 'NO', 'no'), 4507, false],
    ['a Refusal of 401', new Refusal(401, 'NO', 'no'), 4506, false],
    ['a Refusal of 503', new Refusal(503, 'NO', 'no'), 4006, false],
    ['nothing at all', undefined, 1011, true],
  ]
  for (const [what, error, code, logged] of cases) {
    it(`that throws ${what} closes with ${code}`, async () => {
      const server = await startServer({
        after: (app) => app.ackordGateway.addHook('onConnect', () => Promise.reject(error)),
      })
      const client = await server.connect()
      client.send(hello('s', 'ann'))
      client.send(echo(1))
      const { code: closed, reason } = await client.closed()
      expect(closed).toBe(code)
      expect(reason).not.toContain('secret')
      expect([client.frames, server.probe.log]).toEqual([[], []])
      expect(server.lines.some(({ level }) => Number(level) >= 50)).toBe(logged)
    })
  }

  it('is not gone on with where the connection ended meanwhile', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const ran: string[] = []
    const server = await startServer({
      after: (app) => {
        const { addHook } = app.ackordGateway
        addHook('onConnect', async () => {
          ran.push('first')
          await gate
          ran.push('first is done')
        })
        addHook('onConnect', () => void ran.push('second'))
        addHook('onDisconnect', () => void ran.push('gone'))
      },
    })
    const client = await server.connect()
    client.send(hello('s', 'ann'))
    await eventually(() => expect(ran).toEqual(['first']))
    client.abort()
    await eventually(() => expect(ran).toEqual(['first', 'gone']))
    release()
    await server.enter('ben')
    expect(ran).toEqual(['first', 'gone', 'first is done', 'first', 'first is done', 'second'])
  })
})
