import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { createClock, createNetwork } from '../../client/testing/index.js'
import type { PublicationInfo } from '../../client/types.js'
import { authPlugin } from '../../plugins/auth/index.js'
import { clusterPlugin } from '../../plugins/cluster/index.js'
import { callsPlugin, gatewayPlugin, namespace, namespacePlugin, roomsPlugin } from '../../plugins/index.js'
import { presencePlugin } from '../../plugins/presence/index.js'
import { redisPlugin } from '../../plugins/redis/index.js'
import { startServer } from '../support/server.js'
import { contract, makeClient, open, startNode, textOf } from './support.js'

describe('the inbox of a user', () => {
  it('keeps what comes while they are away, and replays it from where they stood, or the newest', async () => {
    const { enter, live } = await startNode()
    const first = await live.user('ada').send('mention', { text: 'a' })
    expect(first).toMatchObject({ offset: 1 })
    for (const text of ['b', 'c']) await live.user('ada').send('mention', { text })
    const since = [first.epoch, first.offset, first.tag]
    expect(await open(await enter('ada'), 1, since)).toMatchObject({ texts: ['b@2', 'c@3'], gap: undefined })
    expect(await open(await enter('ada'), 1, undefined, 1)).toMatchObject({ texts: ['c@3'] })
    expect(await open(await enter('ada'), 1)).toMatchObject({ texts: [] })
  })

  it('reaches all their connections that joined it, nobody else, and by no EVENT', async () => {
    const { enter, live } = await startNode()
    const [a, b, unjoined, other] = [
      await enter('ada'),
      await enter('ada'),
      await enter('ada'),
      await enter('bob'),
    ]
    const { key } = await open(a, 1)
    await open(b, 1)
    await open(other, 1)
    await live.user('ada').send('mention', { text: 'x' })
    for (const client of [a, b]) {
      const publication = await client.next(23)
      expect([publication[1], publication[2], textOf(publication)]).toEqual([key, 'mention', 'x@1'])
    }
    for (const client of [a, unjoined, other]) await client.ping()
    expect(unjoined.received.filter(({ frame }) => frame?.[0] === 21 || frame?.[0] === 23)).toEqual([])
    expect(other.received.filter(({ frame }) => frame?.[0] === 23)).toEqual([])
    expect(a.received.filter(({ frame }) => frame?.[0] === 21)).toEqual([])
  })

  it('is their own, whatever JOIN says', async () => {
    const { enter, live } = await startNode()
    const bob = await enter('bob')
    bob.send([6, 1, '', { user: 'ada' }])
    const [, , key] = await bob.next(22)
    expect(key).toBe('@"bob"')
    await live.user('ada').send('mention', { text: 'secret' })
    await live.user('bob').send('mention', { text: 'mine' })
    expect(textOf(await bob.next(23))).toBe('mine@1')
  })

  it('is of one user only, whatever characters their ids are of', async () => {
    const { enter, live } = await startNode()
    const ids = [
      'a b',
      '"',
      '@"ada"',
      '}{',
      '\u0000'.repeat(256),
      `${'\u0000'.repeat(255)}\u0001`,
      '\ud800',
      '\udfff',
      '\ufffd',
      '漢'.repeat(256),
    ]
    const keys = new Set<unknown>()
    for (const id of ids) {
      await live.user(id).send('mention', { text: `for ${ids.indexOf(id)}` })
      const { key, texts } = await open(await enter(id), 1, undefined, 9)
      expect(String(key).length).toBeLessThanOrEqual(1024)
      expect(texts).toEqual([`for ${ids.indexOf(id)}@1`])
      keys.add(key)
    }
    expect(keys.size).toBe(ids.length)
    for (const id of ['', 'x'.repeat(257)]) {
      await expect(live.user(id).send('mention', { text: 'x' })).rejects.toMatchObject({
        code: 'ACKORD_INVALID_PARAMS',
      })
    }
  })

  it('is kept within the bounds of the contract, and a position beyond them is a gap', async () => {
    const { enter, live } = await startNode()
    const first = await live.user('ada').send('mention', { text: '1' })
    for (let n = 2; n <= 107; n++) await live.user('ada').send('mention', { text: `${n}` })
    expect(await open(await enter('ada'), 1, [first.epoch, 1, first.tag], 2)).toMatchObject({
      gap: 'trimmed',
      texts: ['106@106', '107@107'],
    })
    expect(await open(await enter('ada'), 1, [first.epoch, 107, first.tag])).toMatchObject({ gap: 'forked' })
    expect(await open(await enter('ada'), 1, ['another', 1, 1])).toMatchObject({ gap: 'epoch' })
    const { texts } = await open(await enter('ada'), 1, undefined, 200)
    expect([texts.length, texts[0]]).toEqual([100, '8@8'])
  })

  it('has each id once', async () => {
    const { enter, live } = await startNode()
    const first = await live.user('ada').send('mention', { text: 'a' }, { id: 'order 7' })
    expect(await live.user('ada').send('mention', { text: 'a' }, { id: 'order 7' })).toEqual(first)
    await live.user('bob').send('mention', { text: 'b' }, { id: 'order 7' })
    expect(await open(await enter('ada'), 1, undefined, 9)).toMatchObject({ texts: ['a@1'] })
    expect(await open(await enter('bob'), 1, undefined, 9)).toMatchObject({ texts: ['b@1'] })
  })

  it('carries bytes in either codec', async () => {
    const { enter, live } = await startNode()
    await live.user('ada').send('picture', new Uint8Array([1, 2, 3]))
    const text = await enter('ada')
    text.send([6, 1, '', {}, null, 1])
    expect((await text.next(23))[3]).toBe('AQID')
    const binary = await enter('ada', { protocols: ['ackord.v1.msgpack'] })
    binary.send([6, 1, '', {}, null, 1])
    expect(new Uint8Array((await binary.next(23))[3] as Uint8Array)).toEqual(new Uint8Array([1, 2, 3]))
  })

  it('counts as a room of its connection, and is left like one', async () => {
    const { enter, live } = await startNode({ maxRooms: 1 })
    const client = await enter('ada')
    await open(client, 1)
    client.send([6, 2, 'channel', { id: 'a' }])
    expect(await client.next(19)).toEqual([19, 2, 'OVERLOADED', null])
    client.send([7, 1])
    client.send([6, 3, 'channel', { id: 'a' }])
    await client.next(22)
    await live.user('ada').send('mention', { text: 'x' })
    await client.ping()
    expect(client.received.filter(({ frame }) => frame?.[0] === 23)).toEqual([])
  })

  it('asks the hooks of joins and publications, with the user as its params', async () => {
    const seen: unknown[] = []
    const { enter, live } = await startNode({
      before(app) {
        app.ackordGateway.addHook('onJoin', ({ room, params }) => void seen.push([room, params]))
        app.ackordGateway.addHook('onPublish', ({ room, key, event }) => {
          if (event === 'picture') throw new Error('no pictures')
          seen.push([room, key, event])
        })
      },
    })
    await open(await enter('ada'), 1)
    await live.user('ada').send('mention', { text: 'x' })
    expect(seen).toEqual([
      ['', { user: 'ada' }],
      ['', '@"ada"', 'mention'],
    ])
    await expect(live.user('ada').send('picture', new Uint8Array())).rejects.toThrow('no pictures')
  })

  it('is there only where an event is recoverable', async () => {
    const { enter } = await startServer()
    const client = await enter('ada')
    client.send([6, 1, '', {}])
    expect(await client.next(19)).toEqual([19, 1, 'UNKNOWN_ROOM', null])
  })

  it('is needed where an event is recoverable', async () => {
    const app = Fastify()
    await app.register(gatewayPlugin, {})
    for (const plugin of [redisPlugin, clusterPlugin, authPlugin, callsPlugin, roomsPlugin]) {
      await app.register(plugin)
    }
    await app.register(presencePlugin)
    await app.register(namespacePlugin)
    const live = namespace(contract, { path: '/live', authenticate: 'none' })
    await app.register(live.plugin({ rooms: { channel: { join: () => true } } }))
    await expect(app.ready()).rejects.toMatchObject({ code: 'ACKORD_PLUGIN_MISSING' })
  })
})

describe('an event that is not recoverable', () => {
  it('reaches a user or everybody who is connected, and is kept for nobody', async () => {
    const { enter, live } = await startNode()
    const [a, b] = [await enter('ada'), await enter('bob')]
    expect(await live.user('ada').send('notice', { text: 'to ada' })).toBeUndefined()
    expect(await live.user('ada').send('offer', { text: 'told, not asked' })).toBeUndefined()
    expect(await live.all.send('notice', { text: 'to all' })).toBeUndefined()
    expect(await a.next(21)).toEqual([21, 'notice', { text: 'to ada' }])
    expect(await a.next(21)).toEqual([21, 'offer', { text: 'told, not asked' }])
    for (const client of [a, b]) expect(await client.next(21)).toEqual([21, 'notice', { text: 'to all' }])
  })

  it('is the only kind that goes to one connection, or to all', async () => {
    const { enter, live } = await startNode()
    await enter('ada')
    const [connection] = [...live.connections()]
    const wrong = JSON.parse('"mention"')
    expect(() => connection?.send(wrong, { text: 'x' })).toThrow(
      expect.objectContaining({ code: 'ACKORD_WRONG_DELIVERY' }),
    )
    await expect(live.all.send(wrong, { text: 'x' })).rejects.toMatchObject({ code: 'ACKORD_WRONG_DELIVERY' })
    await expect(live.user('ada').send(JSON.parse('"nope"'), { text: 'x' })).rejects.toMatchObject({
      code: 'ACKORD_UNKNOWN_NAME',
    })
    await expect(live.user('ada').send('mention', JSON.parse('{"text":1}'))).rejects.toMatchObject({
      code: 'ACKORD_INVALID_PAYLOAD',
    })
  })
})

describe('the shipped client', () => {
  it('hears each event of its inbox once, in order, also those of a time without a connection', async () => {
    const clock = createClock()
    const { app, live } = await startNode({ clock })
    const network = await createNetwork(app)
    const client = makeClient('ada', { clock, WebSocket: network.WebSocket })
    const heard: Array<readonly [string, boolean]> = []
    const positions: PublicationInfo['position'][] = []
    client.events.on('mention', ({ text }, { recovered, position }) => {
      heard.push([text, recovered])
      positions.push(position)
    })
    client.connection.connect()
    await network.settle()
    await live.user('ada').send('mention', { text: 'a' })
    await network.settle()
    network.cut()
    await live.user('ada').send('mention', { text: 'b' })
    await live.user('ada').send('mention', { text: 'c' })
    network.restore()
    await clock.advanceAsync(60_000)
    await live.user('ada').send('mention', { text: 'd' })
    await network.settle()
    expect(heard).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', false],
    ])
    expect(positions.map((position) => position?.offset)).toEqual([1, 2, 3, 4])
  })
})
