import { describe, expect, it } from 'vitest'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

const KEY = 'channel[["id","a"]]'
const message = (text: string) => ({ id: 'm', text })

describe('joining', () => {
  it('answers with the key of the room, the same however the params are written', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a', lang: 'en' }])
    client.send([6, 2, 'channel', { undeclared: true, lang: 'en', id: 'a' }])
    const [first, second] = [await client.next(22), await client.next(22)]
    expect(first[2]).toBe('channel[["id","a"],["lang","en"]]')
    expect(second[2]).toBe(first[2])
    expect(live.room.channel({ lang: 'en', id: 'a' }).key).toBe(first[2])
  })

  it('is refused by the handler, by its throw, by params that do not fit, and for rooms that are not there', async () => {
    const { enter, lines } = await startServer()
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'closed' }])
    expect(await client.next(19)).toEqual([19, 1, 'FORBIDDEN', null])
    client.send([6, 2, 'channel', { id: 'broken' }])
    expect(await client.next(19)).toEqual([19, 2, 'FORBIDDEN', null])
    expect(lines.some(({ err }) => (err as Error | undefined)?.message === 'a secret of the room')).toBe(true)
    client.send([6, 3, 'channel', { id: 5 }])
    expect(await client.next(19)).toEqual([19, 3, 'INVALID_INPUT', { pointer: '/id', rule: 'String' }])
    client.send([6, 4, 'constructor', {}])
    expect(await client.next(19)).toEqual([19, 4, 'UNKNOWN_ROOM', null])
    client.send([6, 5, 'channel', { id: 'x'.repeat(2000) }])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 5, 'INVALID_INPUT'])
  })

  it('has a bound per connection', async () => {
    const { enter } = await startServer({ maxRooms: 2 })
    const client = await enter('alice')
    for (const seq of [1, 2, 3]) client.send([6, seq, 'channel', { id: `${seq}` }])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 3, 'OVERLOADED'])
    client.send([7, 1])
    client.send([6, 4, 'channel', { id: '4' }])
    expect((await client.nextWhere(([type, seq]) => type === 22 && seq === 4, 'JOINED 4'))[1]).toBe(4)
  })

  it('twice is one membership, ended by one LEAVE', async () => {
    const { enter, live, gateway } = await startServer()
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    client.send([6, 2, 'channel', { id: 'a' }])
    await client.next(22)
    await client.next(22)
    const room = live.room.channel({ id: 'a' })
    expect(room.connections()).toHaveLength(1)
    client.send([7, 2])
    await client.ping()
    expect(room.connections()).toHaveLength(0)
    expect([...gateway.sockets][0]?.slots.rooms?.size).toBe(0)
  })

  it('leaving without having joined is ignored', async () => {
    const { enter } = await startServer()
    const client = await enter('alice')
    client.send([7, 1])
    client.send([2, 2, 'echo', { text: 'still here' }])
    expect(await client.next(18)).toEqual([18, 2, { text: 'still here' }])
  })

  it('LEAVE during the JOIN settles it and leaves nobody inside', async () => {
    let letIn: (() => void) | undefined
    const { enter, live } = await startServer({
      after: (app) => {
        app.ackordGateway.addHook(
          'onJoin',
          () =>
            new Promise<void>((resolve) => {
              letIn = resolve
            }),
        )
      },
    })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    await until(() => letIn !== undefined)
    client.send([7, 1])
    expect(await client.next(19)).toEqual([19, 1, 'CANCELLED', null])
    letIn?.()
    await client.ping()
    expect(live.room.channel({ id: 'a' }).connections()).toHaveLength(0)
  })
})

describe('publishing', () => {
  it('reaches members with the same bytes, in order, after their JOINED', async () => {
    const { enter, live } = await startServer()
    const clients = [await enter('alice'), await enter('bob')]
    const room = live.room.channel({ id: 'a' })
    for (const client of clients) {
      client.send([6, 1, 'channel', { id: 'a' }])
      await client.next(22)
    }
    const first = await room.publish('posted', message('1'))
    await room.publish('typing', { user: 'alice' })
    await room.publish('posted', message('2'))
    expect(first).toMatchObject({ offset: 1 })
    for (const client of clients) {
      expect(await client.next()).toEqual([23, KEY, 'posted', message('1'), 1, first?.tag])
      expect(await client.next()).toEqual([23, KEY, 'typing', { user: 'alice' }])
      expect((await client.next()).slice(0, 5)).toEqual([23, KEY, 'posted', message('2'), 2])
    }
    expect(clients[0]?.received.map(({ data }) => data).slice(2)).toEqual(
      clients[1]?.received.map(({ data }) => data).slice(2),
    )
  })

  it('refuses what does not fit and keeps undeclared fields off the wire', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    await client.next(22)
    const room = live.room.channel({ id: 'a' })
    await expect(room.publish('posted', JSON.parse('{"id":1}'))).rejects.toMatchObject({
      code: 'ACKORD_INVALID_PAYLOAD',
    })
    await room.publish('posted', { ...message('x'), ...JSON.parse('{"password":"p"}') })
    expect((await client.next(23))[3]).toEqual(message('x'))
    expect(() => live.room.channel(JSON.parse('{"id":1}'))).toThrow(
      expect.objectContaining({ code: 'ACKORD_INVALID_PARAMS' }),
    )
  })

  it('leaves out the excepted client, live and when it comes back', async () => {
    const { enter, live } = await startServer()
    const [alice, bob] = [await enter('alice', 'same'), await enter('bob', 'same')]
    for (const client of [alice, bob]) {
      client.send([6, 1, 'channel', { id: 'a' }])
      await client.next(22)
    }
    const room = live.room.channel({ id: 'a' })
    const [except] = [...live.connections()].filter(({ user }) => user.id === 'alice')
    const before = await room.publish('posted', message('0'))
    await room.publish('posted', message('1'), { ...(except && { except }) })
    await room.publish('posted', message('2'))
    const three = async (client: typeof alice) =>
      [await client.next(23), await client.next(23), await client.next(23)].map(
        ([, , event, payload, offset]) => [event, payload, offset],
      )
    // The place of what is left out still moves the position of the client.
    expect(await three(alice)).toEqual([
      ['posted', message('0'), 1],
      ['', null, 2],
      ['posted', message('2'), 3],
    ])
    expect((await three(bob))[1]).toEqual(['posted', message('1'), 2])
    const again = await enter('alice', 'same')
    again.send([6, 1, 'channel', { id: 'a' }, [before?.epoch, before?.offset, before?.tag]])
    expect((await again.next(22))[3]).toBe(1)
    expect((await again.next(23))[3]).toEqual(message('2'))
  })

  it('gives a joiner the current values of latest events', async () => {
    const { enter, live } = await startServer()
    const room = live.room.channel({ id: 'a' })
    await room.publish('price', { symbol: 'X', value: 1 })
    await room.publish('price', { symbol: 'Y', value: 2 })
    await room.publish('price', { symbol: 'X', value: 3 })
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }])
    expect((await client.next(22))[3]).toBe(2)
    expect((await client.next(23))[3]).toEqual({ symbol: 'Y', value: 2 })
    expect((await client.next(23))[3]).toEqual({ symbol: 'X', value: 3 })
  })

  it('recovers what a client missed, or says why not', async () => {
    const { enter, live } = await startServer()
    const room = live.room.channel({ id: 'a' })
    const first = await room.publish('posted', message('1'))
    await room.publish('posted', message('2'))
    const client = await enter('alice')
    const since = [first?.epoch, first?.offset, first?.tag]
    client.send([6, 1, 'channel', { id: 'a' }, since])
    const joined = await client.next(22)
    expect([joined[3], joined[5]]).toEqual([1, null])
    expect((await client.next(23))[3]).toEqual(message('2'))
    client.send([7, 1])
    client.send([6, 2, 'channel', { id: 'a' }, ['another', 1, 1]])
    expect((await client.next(22))[5]).toBe('epoch')
    client.send([7, 2])
    client.send([6, 3, 'channel', { id: 'a' }, null, 2])
    expect((await client.next(22))[3]).toBe(2)
  })

  it('is a gap where the replay would break the bound of the connection', async () => {
    const { enter, live } = await startServer({ maxBuffered: 131_072 })
    const room = live.room.channel({ id: 'a' })
    const first = await room.publish('posted', message('first'))
    for (let i = 0; i < 80; i++) await room.publish('posted', message('x'.repeat(2000)))
    const client = await enter('alice')
    client.send([6, 1, 'channel', { id: 'a' }, [first?.epoch, first?.offset, first?.tag]])
    const joined = await client.next(22)
    expect([joined[3], joined[5]]).toEqual([0, 'tooMany'])
    await room.publish('posted', message('live'))
    expect((await client.next(23))[3]).toEqual(message('live'))
  })
})

describe('from the server', () => {
  it('joins and evicts; LEFT follows what was published before, and nothing follows LEFT', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    const room = live.room.channel({ id: 'a' })
    const [connection] = [...live.connections()]
    if (connection === undefined) throw new Error('alice is connected')
    await room.join(connection)
    expect((await client.next(22)).slice(0, 3)).toEqual([22, 0, KEY])
    expect(connection.rooms).toEqual([KEY])
    void room.publish('posted', message('before'))
    expect(await room.evict('alice')).toBe(1)
    void room.publish('posted', message('after'))
    expect((await client.next())[3]).toEqual(message('before'))
    expect(await client.next()).toEqual([27, KEY, 'evicted'])
    await client.ping()
    expect(client.frames.at(-1)).toEqual([27, KEY, 'evicted'])
    expect(await room.evict(connection)).toBe(0)
  })

  it('answers the first JOIN of whom the server joined as any other: with position and replay', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    const room = live.room.channel({ id: 'a' })
    const first = await room.publish('posted', message('1'))
    const [connection] = [...live.connections()]
    if (connection === undefined) throw new Error('alice is connected')
    await room.join(connection)
    await client.next(22)
    await room.publish('posted', message('2'))
    client.send([6, 1, 'channel', { id: 'a' }, [first?.epoch, first?.offset, first?.tag]])
    const joined = await client.nextWhere(([type, seq]) => type === 22 && seq === 1, 'JOINED 1')
    expect([joined[3], (joined[4] as unknown[])[1]]).toEqual([1, 2])
    void room.publish('posted', message('3'))
    await client.ping()
    const payloads = client.frames.slice(client.frames.indexOf(joined)).map(([, , , payload]) => payload)
    expect(payloads.slice(1)).toEqual([message('2'), message('3')])
    expect(room.connections()).toHaveLength(1)
    client.send([7, 1])
    await client.ping()
    expect(room.connections()).toHaveLength(0)
  })

  it('asks all members', async () => {
    const { enter, live } = await startServer()
    const [alice] = [await enter('alice'), await enter('bob')]
    alice.send([6, 1, 'channel', { id: 'a' }])
    await alice.next(22)
    const answers: unknown[] = []
    const done = (async () => {
      for await (const { member, answer } of live.room.channel({ id: 'a' }).askAll('offer', { id: '1' })) {
        answers.push([member?.user, answer.status])
      }
    })()
    const [, , , ask] = await alice.next(21)
    alice.send([5, ask as number, { accepted: false }])
    await done
    expect(answers).toEqual([['alice', 'answered']])
  })
})

describe('a member that does not read', () => {
  it('is closed at the bound, while the others get everything', async () => {
    const { enter, live, gateway } = await startServer({ maxBuffered: 262_144 })
    const [slow, good] = [await enter('slow'), await enter('good')]
    for (const client of [slow, good]) {
      client.send([6, 1, 'channel', { id: 'a' }])
      await client.next(22)
    }
    slow.pause()
    const room = live.room.channel({ id: 'a' })
    const { length } = 'x'.repeat(2000)
    let sent = 0
    while (room.connections().length === 2) {
      for (let i = 0; i < 50; i++) await room.publish('posted', message('x'.repeat(length)))
      sent += 50
      await good.ping()
      for (const connection of gateway.sockets) {
        expect(connection.writer.buffered).toBeLessThanOrEqual(262_144 + 64)
      }
    }
    expect(good.frames.filter(([type]) => type === 23)).toHaveLength(sent)
    slow.resume()
    expect((await slow.closed()).code).toBe(1013)
  }, 30_000)
})
