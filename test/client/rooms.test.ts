import { describe, expect, it } from 'vitest'
import { type Channel, createChannel } from '../../client/channel.js'
import { createConnection, type Link } from '../../client/connection.js'
import type { GapReason, Joined, JoinOptions, LeftReason, PublicationInfo, Room } from '../../client/index.js'
import { createRooms } from '../../client/rooms.js'
import { createSettings, type Settings } from '../../client/settings.js'
import type { ServerFrame, WirePosition } from '../../contract/wire/frames.js'
import {
  type ChannelEvents,
  FakeClock,
  type Harness,
  harness,
  settled,
  watch,
  welcome,
} from './support/harness.js'

const at = (offset: number, epoch = 'e'): WirePosition => [epoch, offset, 100 + offset]
const position = (offset: number, epoch = 'e') => ({ epoch, offset, tag: 100 + offset })
const posted = (offset: number, key = 'k'): ServerFrame => [
  23,
  key,
  'posted',
  { text: `m${offset}` },
  offset,
  100 + offset,
]
const typing = (user: string, key = 'k'): ServerFrame => [23, key, 'typing', user]

interface Heard {
  readonly log: string[]
  readonly infos: PublicationInfo[]
}

/** Writes down all that a room tells, in order. */
function listen(room: Room<ChannelEvents>, log: string[] = []): Heard {
  const infos: PublicationInfo[] = []
  room.on('posted', ({ text }, info) => {
    log.push(info.recovered ? `${text} recovered` : text)
    infos.push(info)
  })
  room.on('typing', (user, info) => {
    log.push(info.recovered ? `${user} recovered` : user)
    infos.push(info)
  })
  room.onGap((reason) => {
    log.push(`gap ${reason}`)
  })
  room.onLeft((reason) => log.push(`left ${reason}`))
  return { log, infos }
}

const general = ({ client }: Harness) => client.rooms.channel({ channelId: 'general' })

/** Comes back after a loss, up to WELCOME. */
async function back(made: Harness): Promise<void> {
  made.client.connection.connect()
  await settled()
  made.socket.open()
  made.socket.receive(welcome({ heartbeat: 0 }))
}

describe('joining', () => {
  it('sends the room with its params and where to start, and gives the typed answer', async () => {
    const made = harness()
    const socket = await made.open()
    const room = made.client.rooms.channel({ channelId: 'général', side: 2 })
    expect(room.state).toBe('out')
    const joined = watch(room.join({ since: position(4), last: 50 }))
    expect(room.state).toBe('joining')
    expect(socket.of(6)).toEqual([[6, 1, 'channel', { channelId: 'général', side: 2 }, at(4), 50]])
    socket.receive([22, 1, 'k', 2, at(6)])
    expect(room.state).toBe('joined')
    await settled()
    expect(joined.value).toEqual({ ok: true, position: position(6), recovered: 2, gap: undefined })
  })

  it('of a room without a log has no position', async () => {
    const made = harness()
    const socket = await made.open()
    const joined = watch(general(made).join())
    expect(socket.of(6)[0]?.slice(4)).toEqual([null, null])
    socket.receive([22, 1, 'k', 0])
    await settled()
    expect(joined.value).toEqual({ ok: true, position: undefined, recovered: 0, gap: undefined })
  })

  it('twice gives the same answer', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const first = room.join()
    expect(room.join({ last: 5 })).toBe(first)
    socket.receive([22, 1, 'k', 0])
    await first
    expect(room.join()).toBe(first)
    expect(socket.of(6).length).toBe(1)
  })

  it('waits for a connection', async () => {
    const made = harness()
    const joined = watch(general(made).join())
    await settled()
    made.socket.end(1006)
    await made.clock.advance(500)
    made.socket.open()
    made.socket.receive(welcome(), [22, 1, 'k', 0])
    await settled()
    expect(joined.value).toMatchObject({ ok: true })
  })

  it('that is refused says why, and may be tried again', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    const refused = watch(room.join())
    socket.receive([19, 1, 'FORBIDDEN', null])
    await settled()
    expect(refused.value).toMatchObject({ ok: false, error: { code: 'FORBIDDEN', retry: false } })
    expect(room.state).toBe('out')
    expect(log).toEqual([])
    const again = watch(room.join())
    socket.receive([22, 2, 'k', 0])
    await settled()
    expect(again.value).toMatchObject({ ok: true })
    expect(socket.of(7)).toEqual([])
  })

  it('that is not answered in time fails, and leaves', async () => {
    const made = harness({ timeout: 5000 })
    const socket = await made.open({ heartbeat: 0 })
    const room = general(made)
    const joined = watch(room.join())
    await made.clock.advance(5000)
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
    expect(socket.of(7)).toEqual([[7, 1]])
    expect(room.state).toBe('out')
    socket.receive([22, 1, 'k', 0], typing('late'))
    expect(room.state).toBe('out')
  })

  it('that is too large for the server fails', async () => {
    const made = harness()
    await made.open({ bytes: 100 })
    const joined = watch(made.client.rooms.channel({ channelId: 'x'.repeat(200) }).join())
    await settled()
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'TOO_LARGE' } })
  })

  it('of a closed client fails at once', async () => {
    const made = harness()
    const socket = await made.open()
    socket.end(4509)
    const room = general(made)
    expect(await room.join()).toMatchObject({ ok: false, error: { code: 'CLOSED' } })
    expect(room.state).toBe('out')
    made.client.connection.connect()
    const joined = watch(room.join())
    await settled()
    made.socket.open()
    made.socket.receive(welcome(), [22, 1, 'k', 0])
    await settled()
    expect(joined.value).toMatchObject({ ok: true })
    made.client.close()
    expect(await general(made).join()).toMatchObject({ ok: false, error: { code: 'CLOSED' } })
  })

  it('keeps the params of the time the handle was made', async () => {
    const made = harness()
    const socket = await made.open()
    const params = { channelId: 'a', side: undefined as unknown as number }
    const room = made.client.rooms.channel(params)
    params.channelId = 'b'
    void room.join()
    expect(socket.of(6)[0]?.[3]).toEqual({ channelId: 'a' })
  })

  it.each([
    [{ since: 'e:4' }],
    [{ since: '' }],
    [{ since: {} }],
    [{ since: at(4) }],
    [{ since: { ...position(4), offset: -1 } }],
    [{ since: { ...position(4), tag: 0.5 } }],
    [{ since: { ...position(4), epoch: 7 } }],
    [{ since: { ...position(4), epoch: 'e'.repeat(1025) } }],
    [{ last: -1 }],
    [{ last: 1.5 }],
    [{ last: Number.NaN }],
    [{ last: '5' }],
  ])('refuses %j at once, and joins nothing', async (options) => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    expect(() => room.join(options as unknown as JoinOptions)).toThrow(TypeError)
    expect(room.state).toBe('out')
    expect(socket.of(6)).toEqual([])
    void room.join({ since: position(0), last: 0 })
    expect(socket.of(6).map((frame) => frame.slice(4))).toEqual([[at(0), 0]])
  })
})

describe('a membership', () => {
  it('is shared by handles of the same room, in whatever order their params stand', async () => {
    const made = harness()
    const socket = await made.open()
    const one = made.client.rooms.channel({ channelId: 'a', side: 1 })
    const two = made.client.rooms.channel({ side: 1, channelId: 'a' })
    const answers = [watch(one.join()), watch(two.join())]
    const log: string[] = []
    listen(one, log)
    listen(two, log)
    expect(socket.of(6).length).toBe(1)
    socket.receive([22, 1, 'k', 0, at(3)])
    await settled()
    expect(answers.map((answer) => answer.value)).toEqual(
      Array(2).fill({ ok: true, position: position(3), recovered: 0, gap: undefined }),
    )
    socket.receive(posted(4))
    expect(log).toEqual(['m4', 'm4'])
    const three = watch(made.client.rooms.channel({ channelId: 'a', side: 1 }).join())
    await settled()
    expect(three.value).toMatchObject({ ok: true, position: position(4) })
    expect(socket.of(6).length).toBe(1)
  })

  it('is not shared by rooms that differ in name or params', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.rooms.channel({ channelId: 'a' }).join()
    void made.client.rooms.channel({ channelId: 'a', side: 1 }).join()
    void made.client.rooms.channel({ channelId: '1', side: 1 }).join()
    void made.client.rooms.lobby({}).join()
    expect(socket.of(6).length).toBe(4)
  })

  it('is of the params that the contract declares, whatever else an object holds', async () => {
    const made = harness()
    const socket = await made.open()
    const titled = { channelId: 'a', title: 'A' }
    const [one, two] = [made.client.rooms.channel({ channelId: 'a' }), made.client.rooms.channel(titled)]
    const log: string[] = []
    for (const room of [one, two]) {
      listen(room, log)
      void room.join()
    }
    expect(socket.of(6).map((frame) => frame[3])).toEqual([{ channelId: 'a' }])
    socket.receive([22, 1, 'k', 0], typing('x'))
    two.leave()
    socket.receive(typing('y'))
    expect(log).toEqual(['x', 'x', 'y'])
  })

  it('that ends does not take the key of another one with it', async () => {
    const made = harness()
    const socket = await made.open()
    const rooms = [1, 2].map((side) => made.client.rooms.channel({ channelId: 'a', side }))
    const log: string[] = []
    for (const room of rooms) {
      listen(room, log)
      void room.join()
    }
    socket.receive([22, 1, 'k', 0], [22, 2, 'k', 0])
    rooms[0]?.leave()
    socket.receive(typing('x'))
    expect(log).toEqual(['x'])
  })

  it('ends with its last handle', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    void one.join()
    void two.join()
    socket.receive([22, 1, 'k', 0])
    const { log } = listen(one)
    one.leave()
    one.leave()
    expect(one.state).toBe('out')
    expect(socket.of(7)).toEqual([])
    socket.receive(typing('x'))
    two.leave()
    expect(socket.of(7)).toEqual([[7, 1]])
    socket.receive(typing('y'))
    expect(log).toEqual([])
  })

  it('does not reach a handle that listens and has not joined', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    void one.join()
    const { log } = listen(two)
    socket.receive([22, 1, 'k', 0], typing('x'))
    expect(log).toEqual([])
  })

  it('ignores a room it does not hold, also one that the server joined', async () => {
    const made = harness()
    const socket = await made.open()
    const { log } = listen(general(made))
    socket.receive([22, 0, 'k', 0], typing('x'), [27, 'k', 'closed'])
    expect(log).toEqual([])
    expect(made.client.connection.state).toBe('open')
  })
})

describe('leaving', () => {
  it('without a join is harmless', async () => {
    const made = harness()
    general(made).leave()
    expect(made.client.connection.state).toBe('idle')
    const socket = await made.open()
    general(made).leave()
    expect(socket.frames.length).toBe(1)
  })

  it('during a join settles it with CANCELLED and tells the server', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const joined = watch(room.join())
    room.leave()
    await settled()
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'CANCELLED' } })
    expect(socket.of(7)).toEqual([[7, 1]])
    socket.receive([19, 1, 'CANCELLED', null])
    expect(room.state).toBe('out')
  })

  it('before the join was sent says nothing to the server', async () => {
    const made = harness()
    const room = general(made)
    const joined = watch(room.join())
    room.leave()
    const socket = await made.open()
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'CANCELLED' } })
    expect(socket.frames.length).toBe(1)
  })

  it('and joining again is a new membership, whatever the old join still answers', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    room.leave()
    const again = watch(room.join())
    const { log } = listen(room)
    expect(socket.frames.slice(1)).toEqual([
      [6, 1, 'channel', { channelId: 'general' }, null, null],
      [7, 1],
      [6, 2, 'channel', { channelId: 'general' }, null, null],
    ])
    socket.receive([22, 1, 'k', 0], typing('old'))
    expect([room.state, again.state]).toEqual(['joining', 'pending'])
    socket.receive([22, 2, 'k', 0], typing('new'))
    await settled()
    expect(again.value).toMatchObject({ ok: true })
    expect(log).toEqual(['new'])
  })

  it.each([0, 13, 14])('keeps its place in the first flight behind %i calls', async (before) => {
    const made = harness()
    for (let n = 0; n < before; n++) void made.client.calls.list({ n })
    made.client.connection.connect()
    await settled()
    made.socket.open()
    const room = general(made)
    void room.join({ last: 50 })
    room.leave()
    const again = watch(room.join({ last: 50 }))
    expect(made.socket.frames.length).toBeLessThanOrEqual(16)
    made.socket.receive(welcome())
    const [first, second] = made.socket.of(6).map((frame) => Number(frame[1]))
    expect(made.socket.frames.slice(1 + before).map((frame) => frame.slice(0, 2))).toEqual([
      [6, first],
      [7, first],
      [6, second],
    ])
    made.socket.receive([22, second ?? 0, 'k', 0])
    await settled()
    expect(again.value).toMatchObject({ ok: true })
  })

  it('by one handle leaves the join of the other under way', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    const answers = [watch(one.join()), watch(two.join())]
    one.leave()
    socket.receive([22, 1, 'k', 0])
    await settled()
    expect(answers.map((answer) => (answer.value as Joined).ok)).toEqual([false, true])
    expect(socket.of(7)).toEqual([])
  })

  it('by a listener of another handle stops what follows too', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    one.on('typing', () => two.leave())
    const { log } = listen(two)
    void one.join()
    void two.join()
    socket.receive([22, 1, 'k', 0], typing('x'))
    expect(log).toEqual([])
  })

  it('by a listener stops what follows', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    room.on('posted', () => room.leave())
    void room.join()
    socket.receive([22, 1, 'k', 0, at(0)], posted(1), posted(2))
    expect(log).toEqual(['m1'])
    expect(socket.of(7)).toEqual([[7, 1]])
  })
})

describe('LEFT', () => {
  it.each(['evicted', 'revoked', 'closed'] satisfies LeftReason[])(
    '%s ends the membership of every handle',
    async (why) => {
      const made = harness()
      const socket = await made.open()
      const [one, two] = [general(made), general(made)]
      const log: string[] = []
      for (const room of [one, two]) {
        listen(room, log)
        void room.join()
      }
      socket.receive([22, 1, 'k', 0], [27, 'k', why], typing('x'))
      expect(log).toEqual([`left ${why}`, `left ${why}`])
      expect([one.state, two.state]).toEqual(['out', 'out'])
      one.leave()
      expect(socket.of(7)).toEqual([])
      socket.end(1006)
      await back(made)
      expect(made.socket.of(6)).toEqual([])
    },
  )

  it('may be answered by joining again', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    one.onLeft(() => {
      void one.join()
      void two.join()
    })
    void one.join()
    void two.join()
    socket.receive([22, 1, 'k', 0], [27, 'k', 'closed'])
    expect(socket.of(6).length).toBe(2)
    socket.receive([22, 2, 'k', 0])
    expect([one.state, two.state]).toEqual(['joined', 'joined'])
  })
})

describe('a publication', () => {
  it('comes with its position, which has moved before it is delivered', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { infos } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    room.on('posted', () => made.socket.end(1006))
    socket.receive(typing('x'), posted(4))
    expect(infos).toEqual([
      { position: undefined, recovered: false },
      { position: position(4), recovered: false },
    ])
    await back(made)
    expect(made.socket.of(6)[0]?.[4]).toEqual(at(4))
  })

  it('that came before is not delivered again', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], posted(3), posted(4), posted(4), posted(5))
    expect(log).toEqual(['m4', 'm5'])
    expect(socket.of(6).length).toBe(1)
  })

  it.each([
    ['with another tag', [23, 'k', 'posted', { text: 'fork' }, 4, 999] as ServerFrame],
    ['below the last one', posted(2)],
  ])('%s means another history: the room is joined again from the last position', async (_, frame) => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], posted(4), frame, posted(5))
    expect(log).toEqual(['m4'])
    expect(room.state).toBe('joining')
    expect(socket.frames.slice(2)).toEqual([
      [7, 1],
      [6, 2, 'channel', { channelId: 'general' }, at(4), null],
    ])
    socket.receive([22, 2, 'k', 0, at(3), 'forked'], posted(4))
    await settled()
    expect(log).toEqual(['m4', 'gap forked', 'm4'])
  })

  it('behind a hole is not delivered: the room is joined again from the last position', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], posted(4), posted(6), posted(7))
    expect(log).toEqual(['m4'])
    expect(room.state).toBe('joining')
    expect(socket.frames.slice(2)).toEqual([
      [7, 1],
      [6, 2, 'channel', { channelId: 'general' }, at(4), null],
    ])
    socket.receive([22, 2, 'k', 3, at(7)], posted(5), posted(6), posted(7), posted(8))
    expect(log).toEqual(['m4', 'm5 recovered', 'm6 recovered', 'm7 recovered', 'm8'])
  })

  it('that is not for this client only moves the position, and leaves no hole', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], [23, 'k', '', null, 4, 104], posted(5))
    expect(log).toEqual(['m5'])
    expect(socket.of(6).length).toBe(1)
  })

  it('behind a hole each time does not make the client spin, and a hole that comes seldom costs no wait', async () => {
    const made = harness({ backoff: { base: 1000, max: 8000 } })
    const socket = await made.open({ heartbeat: 0 })
    const room = general(made)
    void room.join()
    const joins = () => socket.of(6).length
    const breakIt = () => socket.receive([22, joins(), 'k', 0, at(3)], posted(9))
    breakIt()
    expect(joins()).toBe(2)
    for (const wait of [500, 1000, 2000, 4000, 4000]) {
      const before = joins()
      breakIt()
      // What comes meanwhile does not count, and nothing is asked.
      socket.receive(posted(4))
      await made.clock.advance(wait - 1)
      expect([room.state, joins()]).toEqual(['joining', before])
      await made.clock.advance(1)
      expect(joins()).toBe(before + 1)
    }
    socket.receive([22, joins(), 'k', 0, at(3)], posted(4))
    await made.clock.advance(10_001)
    const before = joins()
    socket.receive(posted(9))
    expect(joins()).toBe(before + 1)
  })

  it('behind a hole just before the connection ends leaves nothing that asks later', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const room = general(made)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], posted(9))
    socket.receive([22, 2, 'k', 0, at(3)], posted(9))
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6).length).toBe(1)
    made.socket.receive([22, 1, 'k', 0, at(3)])
    await made.clock.advance(60_000)
    expect(made.socket.of(6).length).toBe(1)
    room.leave()
    expect(made.clock.pending).toBe(0)
  })

  it('of an event nobody listens to is ignored', async () => {
    const made = harness()
    const socket = await made.open()
    void general(made).join()
    socket.receive([22, 1, 'k', 0], [23, 'k', 'constructor', 1])
    expect(made.client.connection.state).toBe('open')
  })

  it('is told to the other listeners where one throws', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    room.on('typing', () => {
      throw new Error('no')
    })
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0], typing('x'))
    await settled()
    expect(log).toEqual(['x'])
    expect(made.errors).toEqual([new Error('no')])
  })
})

describe('recovery', () => {
  it('marks as many publications as JOINED says, and continues from where the log stands', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join({ last: 2 })
    // Offset 9 was published with `except` for this session: it is missing by right.
    socket.receive([22, 1, 'k', 3, at(9)], posted(7), posted(8), typing('latest'), posted(10))
    expect(log).toEqual(['m7 recovered', 'm8 recovered', 'latest recovered', 'm10'])
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.slice(4)).toEqual([at(10), null])
    made.socket.receive([22, 1, 'k', 1, at(11)], posted(11), posted(12))
    expect(log.slice(4)).toEqual(['m11 recovered', 'm12'])
  })

  it('continues from the head where the last ones are not for this session', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive([22, 1, 'k', 1, at(9)], posted(7))
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.[4]).toEqual(at(9))
  })

  it('that breaks half-way continues half-way', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join({ since: position(4) })
    socket.receive([22, 1, 'k', 3, at(7)], posted(5))
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.[4]).toEqual(at(5))
    made.socket.receive([22, 1, 'k', 2, at(7)], posted(6), posted(7), posted(8))
    expect(log).toEqual(['m5 recovered', 'm6 recovered', 'm7 recovered', 'm8'])
  })

  it('that breaks before its first publication starts where it started', async () => {
    const made = harness()
    const socket = await made.open()
    void general(made).join({ since: position(4) })
    socket.receive([22, 1, 'k', 3, at(7)])
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.[4]).toEqual(at(4))
  })

  it('asks for the newest again where the first join was never answered', async () => {
    const made = harness()
    const socket = await made.open()
    const joined = watch(general(made).join({ last: 20 }))
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.[5]).toBe(20)
    made.socket.receive([22, 1, 'k', 0, at(0)])
    await settled()
    expect(joined.state).toBe('resolved')
  })
})

describe('JOINED again', () => {
  it('starts the feed anew where it says, and tells the gap before what follows', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log, infos } = listen(room)
    let states = 0
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)], posted(4))
    await settled()
    room.subscribe(() => states++)
    socket.receive([22, 1, 'k', 0, at(7, 'f'), 'epoch'], posted(8))
    await settled()
    expect(log).toEqual(['m4', 'gap epoch', 'm8'])
    expect(infos.at(-1)).toEqual({ position: position(8, 'f'), recovered: false })
    expect([room.state, socket.of(6).length, socket.of(7).length]).toEqual(['joined', 1, 0])
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)[0]?.[4]).toEqual(at(8, 'f'))
    expect(states).toBeGreaterThan(0)
  })

  it('in the midst of a replay ends it', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join({ since: position(3) })
    socket.receive([22, 1, 'k', 3, at(6)], posted(4), [22, 1, 'k', 0, at(9), 'trimmed'], posted(10))
    await settled()
    expect(log).toEqual(['m4 recovered', 'gap trimmed', 'm10'])
  })

  it('for an older JOIN, for one of the server, or for no room says nothing', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    room.leave()
    void room.join({ since: position(3) })
    socket.receive([22, 2, 'k', 0, at(3)])
    socket.receive(
      [22, 1, 'k', 0, at(9), 'epoch'],
      [22, 0, 'k', 0, at(9), 'epoch'],
      [22, 2, 'x', 0, at(9), 'epoch'],
    )
    socket.receive(posted(4))
    expect(log).toEqual(['m4'])
  })
})

describe('after a reconnect', () => {
  it('rooms are joined again before calls are sent', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const states: string[] = []
    room.subscribe(() => states.push(room.state))
    void room.join()
    await settled()
    socket.receive([22, 1, 'k', 0, at(3)])
    await settled()
    socket.end(1006)
    await settled()
    void made.client.calls.list.result({})
    made.client.connection.connect()
    await settled()
    made.socket.open()
    expect(made.socket.frames.map((frame) => frame[0])).toEqual([1, 6, 2])
    made.socket.receive(welcome(), [22, 1, 'k', 0, at(3)])
    await settled()
    expect(states).toEqual(['joining', 'joined', 'joining', 'joined'])
  })

  it('a room that is refused is left, with the reason', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0])
    socket.end(1006)
    const other = general(made)
    const joined = watch(other.join())
    await back(made)
    made.socket.receive([19, 1, 'FORBIDDEN', null])
    await settled()
    expect(log).toEqual(['left refused'])
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } })
    expect([room.state, other.state]).toEqual(['out', 'out'])
  })

  it('a room that cannot be joined for now is tried again', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    socket.end(1006)
    await back(made)
    made.socket.receive([19, 1, 'UNAVAILABLE', null])
    expect(room.state).toBe('joining')
    await made.clock.advance(250)
    made.socket.receive([19, 2, 'RATE_LIMITED', null, 4000])
    await made.clock.advance(4000)
    expect(made.socket.of(6).map((frame) => frame[4])).toEqual([at(3), at(3), at(3)])
    made.socket.receive([22, 3, 'k', 0, at(3)])
    expect(room.state).toBe('joined')
    expect(log).toEqual([])
  })

  it('a room that cannot be joined for longer than a timer can wait is not asked for at once', async () => {
    const made = harness()
    const socket = await made.open()
    void general(made).join()
    socket.receive([22, 1, 'k', 0, at(3)])
    socket.end(1006)
    await back(made)
    made.socket.receive([19, 1, 'UNAVAILABLE', null, 2 ** 31])
    await made.clock.advance(2 ** 31 - 2)
    expect(made.socket.of(6).length).toBe(1)
    expect(made.clock.longest).toBeLessThan(2 ** 31)
  })

  it('a join again that is answered late is taken', async () => {
    const made = harness({ timeout: 5000 })
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    socket.end(1006)
    await back(made)
    await made.clock.advance(5000)
    made.socket.receive([22, 1, 'k', 0, at(3)])
    await made.clock.advance(60_000)
    expect(room.state).toBe('joined')
    expect(made.socket.of(6).length).toBe(1)
  })

  it('a join again that is not answered is tried again too', async () => {
    const made = harness({ timeout: 5000 })
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    socket.end(1006)
    await back(made)
    await made.clock.advance(5250)
    expect(made.socket.frames.slice(1).map((frame) => frame.slice(0, 2))).toEqual([
      [6, 1],
      [7, 1],
      [6, 2],
    ])
  })

  it('a room that was left meanwhile stays left', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive([22, 1, 'k', 0])
    socket.end(1006)
    room.leave()
    await back(made)
    expect(made.socket.frames.length).toBe(1)
  })
})

describe('a final close', () => {
  it('answers who waits, and keeps who was in for connect()', async () => {
    const made = harness()
    const socket = await made.open()
    const inside = general(made)
    void inside.join()
    socket.receive([22, 1, 'k', 0, at(3)])
    const waiting = watch(made.client.rooms.lobby({}).join())
    socket.end(4506)
    await settled()
    expect(waiting.value).toMatchObject({ ok: false, error: { code: 'UNAUTHORIZED' } })
    expect(inside.state).toBe('joining')
    await back(made)
    expect(made.socket.of(6).map((frame) => frame.slice(2, 5))).toEqual([
      ['channel', { channelId: 'general' }, at(3)],
    ])
  })

  it('by close() ends every membership', async () => {
    const made = harness()
    const socket = await made.open()
    const [inside, waiting] = [general(made), made.client.rooms.lobby({})]
    void inside.join()
    const joined = watch(waiting.join())
    socket.receive([22, 1, 'k', 0])
    const { log } = listen(inside)
    made.client.close()
    socket.receive(typing('x'))
    await settled()
    expect(joined.value).toMatchObject({ ok: false, error: { code: 'CLOSED' } })
    expect([inside.state, waiting.state]).toEqual(['out', 'out'])
    expect(log).toEqual([])
    await made.clock.advance(5000)
    expect(made.clock.pending).toBe(0)
  })
})

describe('a gap', () => {
  const reasons: GapReason[] = ['epoch', 'forked', 'trimmed', 'tooMany']

  it.each(reasons)('%s is told before the join is answered, and before what follows', async (reason) => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    const joined = watch(room.join({ since: position(4, 'old') }))
    room.onGap(() => {
      log.push(joined.state)
    })
    socket.receive([22, 1, 'k', 1, at(9), reason], typing('latest'), posted(10))
    expect(log).toEqual([`gap ${reason}`, 'pending'])
    await settled()
    expect(joined.value).toMatchObject({ ok: true, gap: reason, recovered: 1, position: position(9) })
    expect(log.slice(2)).toEqual(['latest recovered', 'm10'])
  })

  it('holds publications until every listener has settled, also one that fails', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    const done: (() => void)[] = []
    room.onGap(() => new Promise((resolve) => done.push(resolve)))
    room.onGap(() => Promise.reject(new Error('reload failed')))
    void room.join()
    socket.receive([22, 1, 'k', 0, at(9), 'trimmed'], posted(10), typing('x'))
    await settled()
    expect(log).toEqual(['gap trimmed'])
    done[0]?.()
    await settled()
    expect(log).toEqual(['gap trimmed', 'm10', 'x'])
    expect(made.errors).toEqual([new Error('reload failed')])
  })

  it('of one room does not hold up another', async () => {
    const made = harness()
    const socket = await made.open()
    const [slow, other] = [general(made), made.client.rooms.lobby({})]
    slow.onGap(() => new Promise(() => {}))
    const { log } = listen(other)
    void slow.join()
    void other.join()
    socket.receive([22, 1, 'k', 0, at(9), 'trimmed'], [22, 2, 'l', 0], posted(10), typing('x', 'l'))
    await settled()
    expect(log).toEqual(['x'])
  })

  it('during a gap waits for both', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    const done: (() => void)[] = []
    room.onGap(() => new Promise((resolve) => done.push(resolve)))
    void room.join()
    socket.receive([22, 1, 'k', 0, at(9), 'trimmed'], posted(10))
    socket.end(1006)
    await back(made)
    made.socket.receive([22, 1, 'k', 0, at(2, 'new'), 'epoch'], [23, 'k', 'posted', { text: 'n3' }, 3, 103])
    done[0]?.()
    await settled()
    expect(log).toEqual(['gap trimmed', 'gap epoch'])
    done[1]?.()
    await settled()
    expect(log).toEqual(['gap trimmed', 'gap epoch', 'm10', 'n3'])
  })

  it('keeps at most 1,000 publications; beyond, all are dropped and tooMany is told first', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    const done: (() => void)[] = []
    room.onGap(() => new Promise((resolve) => done.push(resolve)))
    void room.join()
    socket.receive([22, 1, 'k', 0, at(0), 'trimmed'])
    for (let offset = 1; offset <= 1003; offset++) socket.receive(posted(offset))
    done[0]?.()
    await settled()
    expect(log).toEqual(['gap trimmed', 'gap tooMany'])
    done[1]?.()
    await settled()
    expect(log).toEqual(['gap trimmed', 'gap tooMany', 'm1002', 'm1003'])
    socket.receive(posted(1004))
    expect(log.at(-1)).toBe('m1004')
  })

  it('delivers exactly 1,000', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join()
    socket.receive([22, 1, 'k', 0, at(0), 'trimmed'])
    for (let offset = 1; offset <= 1000; offset++) socket.receive(posted(offset))
    await settled()
    expect(log.length).toBe(1001)
  })

  it('may be answered by leaving, or by closing the client', async () => {
    for (const end of ['leave', 'close'] as const) {
      const made = harness()
      const socket = await made.open()
      const room = general(made)
      const { log } = listen(room)
      room.onGap(() => (end === 'leave' ? room.leave() : made.client.close()))
      const joined = watch(room.join())
      socket.receive([22, 1, 'k', 0, at(9), 'trimmed'], posted(10))
      await settled()
      expect(log).toEqual(['gap trimmed'])
      expect(joined.value).toMatchObject({ ok: false })
      expect(room.state).toBe('out')
    }
  })

  it('does not repeat what was replayed before it, and does not take it for another history', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    const { log } = listen(room)
    void room.join({ since: position(100), last: 2 })
    socket.receive([22, 1, 'k', 2, at(9), 'forked'], posted(8), posted(9), posted(10))
    await settled()
    expect(log).toEqual(['gap forked', 'm8 recovered', 'm9 recovered', 'm10'])
    expect(socket.of(6).length).toBe(1)
  })
})

describe('JOINs that wait for room', () => {
  it('are looked at up to the first that has none, and left alone once they are sent', () => {
    let room = 3
    let asked = 0
    const { settings, link } = parts((frame) => {
      asked++
      if (room === 0) return 0
      room--
      return frame(asked)[1] as number
    })
    const rooms = createRooms(link, settings)
    for (let i = 0; i < 1000; i++)
      rooms.find({ room: 'channel', params: { channelId: String(i) }, options: {} })
    rooms.flush()
    expect(asked).toBe(4)
    rooms.flush()
    expect(asked).toBe(5)
    room = 1000
    rooms.flush()
    expect(asked).toBe(5 + 997)
    rooms.flush()
    expect(asked).toBe(5 + 997)
  })

  it('wait as the server said, also when the connection before that one ends', async () => {
    const made = harness()
    const room = made.client.rooms.channel({ channelId: 'a' })
    const old = await made.open()
    void room.join()
    void made.client.calls.get.result({})
    old.receive([22, 1, 'k', 0])
    await made.clock.advance(10_000)
    old.receive([28, 'restart', 4000])
    await settled()
    const next = made.socket
    next.open()
    next.receive(welcome(), [19, 1, 'UNAVAILABLE', null, 5000])
    old.end(1012)
    await made.clock.advance(4999)
    expect(next.of(6).length).toBe(1)
    await made.clock.advance(1)
    expect(next.of(6).length).toBe(2)
    next.receive([22, 2, 'k', 0])
    expect(room.state).toBe('joined')
  })
})

/** What rooms are made of, with a channel that only takes requests. */
function parts(request: Channel['request']): { readonly link: Link; readonly settings: Settings } {
  const settings = createSettings({ clock: new FakeClock() })
  const channel = { ...createChannel(settings.codec), request }
  const descriptor = { version: '1', hash: '', calls: {}, rooms: {} }
  const none = { event() {}, room() {}, flush() {}, retry() {}, down() {} }
  const connection = createConnection(descriptor, 'ws://test', settings, none)
  return { settings, link: { ...connection, channel } }
}
