import { afterEach, describe, expect, it } from 'vitest'
import { abortAll, type ConnectOptions, connect } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { echo, hello, serveSlowly } from './slow-server.js'
import { eventually } from './support.js'

afterEach(abortAll)

describe('a session', () => {
  it('that comes again closes its older connection with 4505, before any call of the newer one runs', async () => {
    const server = await startServer()
    const { probe } = server
    const first = await server.enter('ann', 'same')
    first.send([2, 1, 'wait', { name: 'first' }])
    await eventually(() => expect(probe.signals.get('first')).toBeDefined())
    probe.signals.get('first')?.addEventListener('abort', () => probe.log.push('first is aborted'))

    const second = await server.connect()
    second.send(hello('same', 'ann'))
    second.send(echo(1, 'of the second'))
    expect(await second.next(18)).toEqual([18, 1, { text: 'of the second' }])
    expect((await first.closed()).code).toBe(4505)
    expect(probe.log).toEqual(['wait first', 'first is aborted', 'echo of the second'])
    probe.release('first')
    expect([...server.live.connections()]).toHaveLength(1)
  })

  it('that comes twice at once is left with one connection, the newer', async () => {
    const { connect, release, asked, live } = await serveSlowly()
    const [first, second] = [await connect(), await connect()]
    first.send(hello('same', 'ann'))
    await asked(1)
    second.send(hello('same', 'ann'))
    await asked(2)
    release()
    expect((await first.closed()).code).toBe(4505)
    second.send(echo(1))
    await second.next(18)
    expect([...live.connections()]).toHaveLength(1)
  })

  it('whose older connection is authenticated last keeps the newer', async () => {
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const server = await startServer({
      namespace: {
        authenticate: async ({ token }) => {
          if (token === 'slow') await gate
          return { id: 'ann', role: 'member' }
        },
      },
    })
    const older = await server.connect()
    older.send(hello('same', 'slow'))
    await older.ping()
    const newer = await server.enter('fast', 'same')
    release()
    expect((await older.closed()).code).toBe(4505)
    newer.send(echo(1))
    expect(await newer.next(18)).toEqual([18, 1, { text: '1' }])
    expect(older.frames).toEqual([])
    expect([...server.live.connections()]).toHaveLength(1)
  })

  it('of another user is another session', async () => {
    const server = await startServer()
    const first = await server.enter('ann', 'same')
    const second = await server.enter('ben', 'same')
    for (const client of [first, second]) {
      client.send(echo(1))
      await client.next(18)
    }
  })
})

describe('a token in the upgrade and one in HELLO', () => {
  const enter = async (connectOptions: ConnectOptions, token?: string) => {
    const server = await startServer()
    const client = await connect(server.url, connectOptions)
    client.send(hello('s', token))
    await client.next(17)
    return [...server.live.connections()].map(({ user }) => user.id)
  }

  it('belong to the one of the upgrade', async () => {
    const headers = { authorization: 'Bearer ann' }
    expect(await enter({ headers }, 'ben')).toEqual(['ann'])
    expect(await enter({ headers }, 'bad')).toEqual(['ann'])
    expect(await enter({ headers })).toEqual(['ann'])
  })
})
