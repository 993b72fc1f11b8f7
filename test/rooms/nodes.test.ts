import { expect, it } from 'vitest'
import { type Connection, Message } from '../../plugins/gateway/index.js'
import { roomsOf } from '../../plugins/rooms/index.js'
import { Member } from '../../plugins/rooms/member.js'
import type { RawClient } from '../support/raw-client.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { contract, startServer, type TestServer } from '../support/server.js'
import { until } from '../support/until.js'
import { readFrames } from '../writer/support.js'

const message = (text: string) => ({ id: 'm', text })
const KEY = 'channel[["id","a"]]'

/** Two nodes on one Redis, in one process. */
async function startNodes(server: TestRedis) {
  const options = async () => ({ redis: await server.connect() })
  return [await startServer(await options()), await startServer(await options())] as const
}

async function join(node: TestServer, user: string, since: unknown = null, protocol = 'ackord.v1.json') {
  const client = await node.connect({ protocols: [protocol] })
  client.send([1, `s-${user}`, contract.hash, '1.0.0', [], user])
  client.send([6, 1, 'channel', { id: 'a' }, since])
  const joined = await client.nextWhere(([type]) => type === 22, 'JOINED')
  return { client, joined }
}

const roomOf = (node: TestServer) => node.live.room.channel({ id: 'a' })
const offsets = (client: RawClient): unknown[] =>
  client.frames.filter(([type]) => type === 23).map(([, , , , offset]) => offset)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describeWithRedis('rooms of two nodes on one Redis', () => {
  it('are one: what one node publishes reaches the members of both, in every codec, as it was', async () => {
    const [one, two] = await startNodes(await startRedis())
    const members = [
      await join(one, 'ann'),
      await join(two, 'bob'),
      await join(two, 'eve', null, 'ackord.v1.msgpack'),
    ]
    const text = 'żółć 🚀 "\\'
    const position = await roomOf(one).publish('posted', message(text))
    await roomOf(two).publish('price', { symbol: 'EUR', value: 1.5 })
    await roomOf(two).publish('typing', { user: 'ann' })
    for (const { client } of members) {
      const frames = [await client.next(23), await client.next(23), await client.next(23)]
      expect(frames[0]).toEqual([23, KEY, 'posted', message(text), position?.offset, position?.tag])
      expect(frames.slice(1)).toEqual([
        [23, KEY, 'price', { symbol: 'EUR', value: 1.5 }],
        [23, KEY, 'typing', { user: 'ann' }],
      ])
    }
  })

  it('keep what nobody was there to hear, and give it to who comes back to another node', async () => {
    const [one, two] = await startNodes(await startRedis())
    const { client, joined } = await join(one, 'ann')
    await roomOf(two).publish('posted', message('1'))
    const [, , , , offset, tag] = await client.next(23)
    client.socket.destroy()
    await until(() => roomsOf(mountOf(one)).rooms.size === 0)
    for (const text of ['2', '3']) await roomOf(one).publish('posted', message(text))
    const [epoch] = joined[4] as [string]
    const back = await join(two, 'ann', [epoch, offset, tag])
    expect(back.joined.slice(3, 6)).toEqual([2, [epoch, 3, expect.any(Number)], null])
    expect([(await back.client.next(23))[3], (await back.client.next(23))[3]]).toEqual([
      message('2'),
      message('3'),
    ])
  })

  it('leave out who it is not for on every node, and move their position on', async () => {
    const [one, two] = await startNodes(await startRedis())
    const ann = await join(one, 'ann')
    const eve = await join(two, 'eve')
    const [member] = two.live.room.channel({ id: 'a' }).connections()
    if (member === undefined) throw new Error('eve is not there')
    const position = await roomOf(one).publish('posted', message('not for eve'), { except: member })
    expect((await ann.client.next(23))[3]).toEqual(message('not for eve'))
    expect(await eve.client.next(23)).toEqual([23, KEY, '', null, position?.offset, position?.tag])
  })

  it('tell their members of a log that was lost by another JOINED, and go on from there', async () => {
    const redis = await startRedis()
    const [one, two] = await startNodes(redis)
    const members = [
      await join(one, 'ann'),
      await join(two, 'bob'),
      await join(two, 'eve', null, 'ackord.v1.msgpack'),
    ]
    await roomOf(one).publish('posted', message('lost'))
    for (const { client } of members) await client.next(23)
    await (await redis.connect()).flushall()
    const position = await roomOf(two).publish('posted', message('first of a new log'))
    expect(position?.offset).toBe(1)
    for (const { client, joined } of members) {
      const again = await client.next(22)
      expect(again).toEqual([
        22,
        1,
        KEY,
        0,
        [position?.epoch, expect.any(Number), expect.any(Number)],
        'epoch',
      ])
      expect(again[4]).not.toEqual(joined[4])
      const { offset } = (await roomOf(one).publish('posted', message('next'))) ?? { offset: 0 }
      await client.nextWhere(([type, , , , each]) => type === 23 && each === offset, 'the next')
      const [, at] = again[4] as [string, number]
      const after = client.frames.slice(client.frames.indexOf(again))
      expect(after.filter(([type]) => type === 23).map(([, , , , each]) => each)).toEqual(
        upTo(offset).slice(at),
      )
    }
  })

  it('are heard again when their subscriptions were cut, and members notice nothing', async () => {
    const redis = await startRedis()
    const [one, two] = await startNodes(redis)
    const members = [await join(one, 'ann'), await join(two, 'bob')]
    const control = await redis.connect()
    for (const n of upTo(60)) {
      await roomOf(n % 2 === 0 ? one : two).publish('posted', message(`${n}`))
      if (n % 20 === 10) await control.call('client', ['KILL', 'TYPE', 'pubsub'])
    }
    for (const { client } of members) {
      await client.nextWhere(([type, , , , offset]) => type === 23 && offset === 60, 'the last')
      expect(offsets(client)).toEqual(upTo(60))
      expect(client.frames.filter(([type]) => type === 22)).toHaveLength(1)
    }
  })

  it('refuse what has to be kept while Redis is away, hand on volatile events, and go on when it is back', async () => {
    const redis = await startRedis()
    const [node] = await startNodes(redis)
    const { client } = await join(node, 'ann')
    await roomOf(node).publish('posted', message('before'))
    await client.next(23)
    await redis.kill()
    await expect(roomOf(node).publish('posted', message('away'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('try again under the same id'),
    })
    await until(() => node.lines.some(({ msg }) => String(msg).includes('Redis is away')))
    await roomOf(node).publish('typing', { user: 'bob' })
    expect(await client.next(23)).toEqual([23, KEY, 'typing', { user: 'bob' }])
    client.send([6, 2, 'channel', { id: 'another' }])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 2, 'UNAVAILABLE'])
    await redis.start()
    // It holds nothing any more: an honest gap.
    expect((await client.next(22)).slice(0, 4)).toEqual([22, 1, KEY, 0])
    const position = await roomOf(node).publish('posted', message('after'))
    expect((await client.next(23)).slice(3, 5)).toEqual([message('after'), position?.offset])
    client.send([6, 3, 'channel', { id: 'another' }])
    expect((await client.next(22)).slice(0, 2)).toEqual([22, 3])
  })

  it('have nothing to say of who was on the way in when their node ended', async () => {
    const redis = await startRedis()
    let go = (): void => undefined
    const entering = new Promise<undefined>((resolve) => {
      go = () => resolve(undefined)
    })
    const node = await startServer({
      redis: await redis.connect(),
      after: (app) => app.ackordGateway.addHook('onEnter', () => entering),
    })
    const client = await node.enter('ann')
    client.send([6, 1, 'channel', { id: 'a' }])
    await until(() => roomsOf(mountOf(node)).rooms.size === 1)
    await node.app.close()
    go()
    await until(() => roomsOf(mountOf(node)).rooms.size === 0)
    expect(node.lines.filter(({ msg }) => msg === 'ackord: a join failed')).toEqual([])
  })

  it('hand the bytes that the publishing node made to 10,000 members, the same to all', async () => {
    const redis = await startRedis()
    const [one, two] = await startNodes(redis)
    const { client } = await join(two, 'ann')
    const room = roomsOf(mountOf(two)).rooms.find(KEY)
    if (room === undefined) throw new Error('the room is not in use')
    const given: Uint8Array[] = []
    const sent: unknown[] = []
    for (let i = 0; i < 9999; i++) room.add(new Member(room, listener(given, sent), {}, i + 1))
    const position = await roomOf(one).publish('posted', message('to all'))
    await client.next(23)
    expect(given).toHaveLength(9999)
    expect(new Set(given).size).toBe(1)
    expect(readFrames(Buffer.from(given[0] ?? []))).toEqual([
      JSON.stringify([23, KEY, 'posted', message('to all'), position?.offset, position?.tag]),
    ])
    await (await redis.connect()).flushall()
    await roomOf(one).publish('posted', message('of a new log'))
    await client.next(22)
    expect(sent).toHaveLength(9999)
    for (const member of room.members.values())
      if (member.connection.codec === TEXT) room.remove(member, false)
  })

  it('give everybody who joins while others publish each publication once', async () => {
    const [one, two] = await startNodes(await startRedis())
    const witness = await join(one, 'witness')
    let over = false
    const publish = async (node: TestServer): Promise<void> => {
      while (!over) await roomOf(node).publish('posted', message('x'))
    }
    const publishing = [publish(one), publish(two), publish(two)]
    const joiners: Array<Awaited<ReturnType<typeof join>>> = []
    for (let i = 0; i < 40; i++) joiners.push(await join(one, `joiner-${i}`))
    over = true
    await Promise.all(publishing)
    const { offset: end = 0 } = (await roomOf(two).publish('posted', message('end'))) ?? {}
    for (const { client, joined } of [witness, ...joiners]) {
      await client.nextWhere(([type, , , , offset]) => type === 23 && offset === end, 'the end')
      const [, from] = joined[4] as [string, number]
      expect(offsets(client)).toEqual(upTo(end).slice(from - Number(joined[3])))
    }
  })

  it('have those who are on their way in read again when their log has gone on elsewhere', async () => {
    const { gateway } = await startServer()
    const [mount] = gateway.mounts.values()
    if (mount === undefined) throw new Error('Nothing is mounted')
    const { rooms } = roomsOf(mount)
    await rooms.use(rooms.defined('channel'), KEY, async (room) => {
      const recent = room.watch()
      room.deliver([{ event: 'typing', delivery: 'volatile', payload: '{}', position: undefined }])
      room.restart(undefined, 'epoch')
      room.deliver([{ event: 'typing', delivery: 'volatile', payload: '{}', position: undefined }])
      expect(recent).toEqual({ publications: [], overrun: true })
      room.unwatch(recent)
    })
  })

  it('tell their members something else at its place among the publications, and who comes later not', async () => {
    const [one] = await startNodes(await startRedis())
    const { client } = await join(one, 'ann')
    const room = roomsOf(mountOf(one)).rooms.find(KEY)
    const said = [24, KEY, [], [], ['bob']]
    await roomOf(one).publish('posted', message('before'))
    await client.next(23)
    const pack = one.gateway.codecs.pack
    room?.deliver([{ event: 'typing', delivery: 'volatile', payload: '{"user":"1"}', position: undefined }])
    room?.tell(new Message(JSON.stringify(said), pack))
    room?.deliver([{ event: 'typing', delivery: 'volatile', payload: '{"user":"2"}', position: undefined }])
    const late = await join(one, 'bob')
    await client.nextWhere(([, , , payload]) => JSON.stringify(payload) === '{"user":"2"}', 'the last')
    expect(client.frames.slice(-3)).toEqual([
      [23, KEY, 'typing', { user: '1' }],
      said,
      [23, KEY, 'typing', { user: '2' }],
    ])
    await late.client.ping()
    expect(late.client.frames.filter(([type]) => type === 24)).toEqual([])
  })

  it('are no more than a connection may be in, however many it asks for, and none is left behind', async () => {
    const redis = await startRedis()
    const node = await startServer({ redis: await redis.connect(), maxRooms: 20 })
    const client = await node.enter('ann')
    const wished = 1000
    for (let seq = 1; seq <= wished; seq++) client.send([6, seq, 'channel', { id: `${seq}` }])
    const answers = []
    for (let i = 0; i < wished; i++)
      answers.push(await client.nextWhere(([type]) => type === 22 || type === 19, 'an answer'))
    expect(answers.filter(([type]) => type === 22)).toHaveLength(20)
    expect(new Set(answers.filter(([type]) => type === 19).map(([, , code]) => code))).toEqual(
      new Set(['OVERLOADED']),
    )
    expect(roomsOf(mountOf(node)).rooms.size).toBe(20)
    client.socket.destroy()
    await until(() => roomsOf(mountOf(node)).rooms.size === 0)
    const control = await redis.connect()
    await until(async () => ((await control.pubsub('CHANNELS', '*:live')) as string[]).length === 0)
  })
})

const TEXT = { binary: false }

/** A connection that only keeps what it is given. */
const listener = (given: Uint8Array[], sent: unknown[]): Connection =>
  ({
    writer: {
      fits: () => true,
      sendFrames: (frames: Uint8Array) => given.push(frames) > 0,
    },
    codec: TEXT,
    sessionKey: 'a listener',
    slots: {},
    send: (frame: unknown) => sent.push(frame) > 0,
  }) as unknown as Connection

function mountOf({ gateway }: TestServer) {
  const [mount] = gateway.mounts.values()
  if (mount === undefined) throw new Error('Nothing is mounted')
  return mount
}
