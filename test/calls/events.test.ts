import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

describe('events', () => {
  it('reach a connection, a user on all connections, or all', async () => {
    const { enter, live } = await startServer()
    const [a1, a2, b] = [await enter('alice'), await enter('alice'), await enter('bob')]
    await live.user('alice').send('notice', { id: '1', text: 'to alice' })
    await live.all.send('notice', { id: '2', text: 'to all' })
    expect(await live.user('nobody').send('notice', { id: '3', text: 'x' })).toBeUndefined()
    const first = [...live.connections()].find((connection) => connection.user.id === 'bob')
    expect(first?.send('notice', { id: '4', text: 'to bob' })).toBe(true)
    for (const client of [a1, a2]) {
      expect(await client.next(21)).toEqual([21, 'notice', { id: '1', text: 'to alice' }])
      expect(await client.next(21)).toEqual([21, 'notice', { id: '2', text: 'to all' }])
    }
    expect(await b.next(21)).toEqual([21, 'notice', { id: '2', text: 'to all' }])
    expect(await b.next(21)).toEqual([21, 'notice', { id: '4', text: 'to bob' }])
  })

  it('refuse a payload that does not fit, and send nothing of what is undeclared', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    const wrong = JSON.parse('{"id":1,"text":"x"}')
    await expect(live.all.send('notice', wrong)).rejects.toMatchObject({ code: 'ACKORD_INVALID_PAYLOAD' })
    await live.all.send('notice', { id: '1', text: 'x', ...JSON.parse('{"password":"p"}') })
    expect(await client.next(21)).toEqual([21, 'notice', { id: '1', text: 'x' }])
  })
})

describe('asks', () => {
  it('give the first answer of a user', async () => {
    const { enter, live } = await startServer()
    const [a, b] = [await enter('alice'), await enter('alice')]
    const answer = live.user('alice').ask('offer', { id: '7' })
    const [, , , ask] = await a.next(21)
    await b.next(21)
    a.send([5, ask as number, null, 'NO_HANDLER'])
    b.send([5, ask as number, { accepted: true }])
    expect(await answer).toEqual({ status: 'answered', value: { accepted: true } })
  })

  it('say failed, timeout and gone', async () => {
    const clock = createClock()
    const { enter, live } = await startServer({ clock })
    const client = await enter('alice')
    const ask = async () => {
      const answer = live.user('alice').ask('offer', { id: '7' }, { timeout: 1000 })
      return { answer, id: (await client.next(21))[3] as number }
    }
    const thrown = await ask()
    client.send([5, thrown.id, null, 'FAILED'])
    expect(await thrown.answer).toEqual({ status: 'failed', code: 'FAILED' })
    const invalid = await ask()
    client.send([5, invalid.id, { accepted: 'perhaps' }])
    expect(await invalid.answer).toEqual({ status: 'failed', code: 'INVALID' })
    const late = await ask()
    await clock.advance(1100)
    expect(await late.answer).toEqual({ status: 'timeout' })
    client.send([5, late.id, { accepted: true }])
    const lost = await ask()
    client.abort()
    expect(await lost.answer).toEqual({ status: 'gone' })
    expect(await live.user('nobody').ask('offer', { id: '7' })).toEqual({ status: 'gone' })
  })

  it('iterate over all answers as they come, and stop when the loop is left', async () => {
    const { enter, live } = await startServer()
    const clients = [await enter('alice'), await enter('bob'), await enter('carol')]
    const seen: string[] = []
    const done = (async () => {
      for await (const { member, answer } of live.all.askAll('offer', { id: '1' })) {
        seen.push(`${member?.user} ${answer.status}`)
        if (seen.length === 2) break
      }
    })()
    for (const client of clients.slice(0, 2)) {
      const [, , , ask] = await client.next(21)
      client.send([5, ask as number, { accepted: true }])
    }
    await done
    expect(seen.sort()).toEqual(['alice answered', 'bob answered'])
    const carol = clients[2]
    const [, , , ask] = (await carol?.next(21)) ?? []
    carol?.send([5, ask as number, { accepted: true }])
    await carol?.ping()
    expect(live.user('carol')).toBeDefined()
  })

  it('close a connection that answers what it was never asked', async () => {
    const { enter } = await startServer()
    const client = await enter('alice')
    client.send([5, 1, {}])
    expect((await client.closed()).code).toBe(4502)
  })

  it('have a bound per connection', async () => {
    const { enter, live } = await startServer()
    await enter('alice')
    const asks = Array.from({ length: 257 }, () => live.user('alice').ask('offer', { id: 'x' }))
    expect(await asks[256]).toEqual({ status: 'failed', code: 'OVERLOADED' })
    const [connection] = [...live.connections()]
    connection?.disconnect()
    for (const ask of asks.slice(0, 256)) expect(await ask).toEqual({ status: 'gone' })
  })

  it('are told apart from a connection that may never come back', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    const [connection] = [...live.connections()]
    connection?.disconnect('reauthenticate')
    expect((await client.closed()).code).toBe(4003)
    await until(() => [...live.connections()].length === 0)
    expect(connection?.send('notice', { id: '1', text: 'x' })).toBe(false)
  })
})
