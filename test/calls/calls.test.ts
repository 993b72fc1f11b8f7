import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { refuseCall } from '../../plugins/index.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

describe('a call', () => {
  it('is answered with what its schema declares and nothing more', async () => {
    const { enter } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 'hi' }])
    expect(await client.next(18)).toEqual([18, 1, { text: 'hi' }])
  })

  it('fails with a declared error and its data', async () => {
    const { enter } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 'teapot' }])
    expect(await client.next(19)).toEqual([19, 1, 'TEAPOT', { ounces: 8 }])
  })

  it('never reaches its handler with an input that does not fit, and hears where and which rule but not the value', async () => {
    const { enter, probe } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 4711 }])
    client.send([2, 2, 'echo', { text: `secret${'x'.repeat(1000)}` }])
    client.send([2, 3, 'echo', null])
    expect(await client.next(19)).toEqual([19, 1, 'INVALID_INPUT', { pointer: '/text', rule: 'String' }])
    expect(await client.next(19)).toEqual([
      19,
      2,
      'INVALID_INPUT',
      { pointer: '/text', rule: 'StringMaxLength' },
    ])
    expect(await client.next(19)).toEqual([19, 3, 'INVALID_INPUT', { pointer: '', rule: 'Object' }])
    expect(probe.log).toEqual([])
  })

  it('hears INTERNAL and an id where the handler throws; the log has the rest', async () => {
    const { enter, lines } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 'throw' }])
    const [, , code, data] = await client.next(19)
    expect(code).toBe('INTERNAL')
    const { id } = data as { id: string }
    expect(JSON.stringify(client.frames)).not.toContain('secret')
    const line = lines.find((entry) => entry.id === id)
    expect(line).toMatchObject({ call: 'echo', user: 'alice', err: { message: 'a secret of the server' } })
  })

  it('is UNKNOWN_CALL under a name the contract does not have, prototype names included', async () => {
    const { enter } = await startServer()
    const client = await enter('alice')
    for (const [seq, name] of ['nope', 'constructor', 'toString', 'hasOwnProperty', ''].entries()) {
      client.send([2, seq + 1, name, {}])
      expect(await client.next(19)).toEqual([19, seq + 1, 'UNKNOWN_CALL', null])
    }
  })

  it('starts in the order it arrives', async () => {
    const { enter, probe } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'wait', { name: 'first' }])
    client.send([2, 2, 'echo', { text: 'second' }])
    await client.next(18)
    expect(probe.log).toEqual(['wait first', 'echo second'])
    probe.release('first')
    expect(await client.next(18)).toEqual([18, 1, null])
  })

  it('without an ack is never answered, whatever happens', async () => {
    const { enter, probe } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'nudge', { name: 'a' }])
    client.send([2, 1, 'nudge', { nonsense: true }])
    client.send([2, 2, 'echo', { text: 'b' }])
    await client.next(18)
    expect(probe.log).toEqual(['nudge a', 'echo b'])
    expect(client.frames.map(([type]) => type)).toEqual([17, 18])
  })
})

describe('cancelling and deadlines', () => {
  it('CANCEL aborts the signal and answers CANCELLED; the handler that goes on is not answered twice', async () => {
    const { enter, probe } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'wait', { name: 'a' }])
    await until(() => probe.signals.has('a'))
    client.send([3, 1])
    expect(await client.next(19)).toEqual([19, 1, 'CANCELLED', null])
    expect(probe.signals.get('a')?.aborted).toBe(true)
    probe.release('a')
    client.send([3, 1])
    client.send([2, 2, 'echo', { text: 'x' }])
    expect(await client.next()).toEqual([18, 2, { text: 'x' }])
  })

  it('a connection that ends aborts the signals of its calls', async () => {
    const { enter, probe } = await startServer()
    const client = await enter('alice')
    client.send([2, 1, 'wait', { name: 'a' }])
    await until(() => probe.signals.has('a'))
    client.abort({ reset: true })
    await until(() => probe.signals.get('a')?.aborted)
  })

  it('a handler that never returns gets TIMEOUT at the deadline of its caller', async () => {
    const clock = createClock()
    const { enter, probe } = await startServer({ clock })
    const client = await enter('alice')
    client.send([2, 1, 'wait', { name: 'a' }, 1000])
    await until(() => probe.signals.has('a'))
    await clock.advance(900)
    await client.ping()
    expect(client.frames.map(([type]) => type)).toEqual([17])
    await clock.advance(200)
    expect(await client.next(19)).toEqual([19, 1, 'TIMEOUT', null])
    expect(probe.signals.get('a')?.reason).toMatchObject({ name: 'TimeoutError' })
    // It still counts as in flight, and the fake clock would never end the grace time of the close.
    probe.release('a')
  })

  it('and at the bound of the server where the caller would wait longer', async () => {
    const clock = createClock()
    const { enter, probe } = await startServer({ clock, callTimeout: 2000 })
    const client = await enter('alice')
    client.send([2, 1, 'wait', { name: 'a' }, 3_600_000])
    await until(() => probe.signals.has('a'))
    await clock.advance(2100)
    expect(await client.next(19)).toEqual([19, 1, 'TIMEOUT', null])
  })

  it('counts a cancelled handler as in flight while it runs, so that CALL and CANCEL in turn have a bound', async () => {
    const { enter, app, live } = await startServer({ inFlight: 2 })
    const client = await enter('alice')
    for (let seq = 1; seq <= 20; seq++) {
      client.send([2, seq, 'wait', { name: `${seq}` }])
      client.send([3, seq])
    }
    for (let i = 0; i < 2; i++) expect((await client.next(19))[2]).toBe('CANCELLED')
    const [connection] = [...app.ackordGateway.gateway.sockets]
    expect(connection?.inFlight).toBeLessThanOrEqual(8)
    expect([...live.connections()]).toHaveLength(1)
  })
})

describe('too much', () => {
  it('answers OVERLOADED beyond four times inFlight and reads on when calls have ended', async () => {
    const { enter, probe } = await startServer({ inFlight: 2 })
    const client = await enter('alice')
    // One write: the socket is paused in the middle of what was read.
    const calls = Array.from({ length: 12 }, (_, i) => [2, i + 1, 'wait', { name: `${i + 1}` }])
    for (const frame of calls) client.send(frame)
    for (let i = 0; i < 4; i++) expect((await client.next(19))[2]).toBe('OVERLOADED')
    expect(probe.log).toHaveLength(8)
    for (let i = 1; i <= 8; i++) probe.release(`${i}`)
    client.send([2, 99, 'echo', { text: 'again' }])
    expect(await client.nextWhere(([, seq]) => seq === 99, 'the answer to 99')).toEqual([
      18,
      99,
      { text: 'again' },
    ])
  })

  it('bounds calls without an answer too', async () => {
    const { enter, app } = await startServer({ inFlight: 1 })
    const client = await enter('alice')
    for (let i = 0; i < 100; i++) client.send([2, 1, 'nudge', { name: 'a' }])
    client.send([2, 2, 'echo', { text: 'x' }])
    await client.next(18)
    const [connection] = [...app.ackordGateway.gateway.sockets]
    expect(connection?.inFlight).toBe(0)
  })
})

describe('onCall', () => {
  it('wraps calls in the order the hooks were added, and may refuse before the input is looked at', async () => {
    const order: string[] = []
    const { enter, probe } = await startServer({
      after: (app) => {
        app.ackordGateway.addHook('onCall', async (call, next) => {
          order.push(`1 ${call.name}`)
          const result = await next()
          order.push('1 done')
          return result
        })
        app.ackordGateway.addHook('onCall', async (call, next) => {
          order.push(`2 ${call.name}`)
          if ((call.input as { text?: string }).text === 'no') throw refuseCall('RATE_LIMITED', 1500)
          return next()
        })
      },
    })
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 'yes' }])
    expect(await client.next(18)).toEqual([18, 1, { text: 'yes' }])
    expect(order).toEqual(['1 echo', '2 echo', '1 done'])
    client.send([2, 2, 'echo', { text: 'no' }])
    expect(await client.next(19)).toEqual([19, 2, 'RATE_LIMITED', null, 1500])
    expect(probe.log).toEqual(['echo yes'])
  })
})
