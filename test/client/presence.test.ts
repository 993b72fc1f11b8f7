import { describe, expect, it } from 'vitest'
import type { Member } from '../../client/index.js'
import type { ServerFrame, WireMember } from '../../contract/wire/frames.js'
import { type Harness, harness, settled, watch, welcome } from './support/harness.js'

const general = ({ client }: Harness) => client.rooms.channel({ channelId: 'general' })
const joined = (seq: number, ...members: readonly WireMember[]): ServerFrame => [
  ...([22, seq, 'k', 0, null, null] as const),
  members,
]
const shown = (members: readonly Member<string>[]): string =>
  members.map(({ user, state, connections }) => `${user}:${state ?? '-'}:${connections}`).join(' ')

async function back(made: Harness): Promise<void> {
  made.client.connection.connect()
  await settled()
  made.socket.open()
  made.socket.receive(welcome({ heartbeat: 0 }))
}

describe('who is there', () => {
  it('is everybody whom JOINED names, and changes as PRESENCE says', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    expect(shown(room.presence.get())).toBe('')
    void room.join()
    socket.receive(joined(1, ['ada', 'here', 2], ['me', null, 1]))
    expect(shown(room.presence.get())).toBe('ada:here:2 me:-:1')
    socket.receive([24, 'k', [['bob', null, 1]], [['ada', 'away', 1]], ['me']])
    expect(shown(room.presence.get())).toBe('ada:away:1 bob:-:1')
    // Who is there already is replaced.
    socket.receive([24, 'k', [['ada', null, 1]], [], ['nobody']])
    expect(shown(room.presence.get())).toBe('ada:-:1 bob:-:1')
  })

  it('is the same array until it changes, and is told once a turn', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    let told = 0
    room.presence.subscribe(() => told++)
    void room.join()
    socket.receive(joined(1, ['ada', null, 1]), [24, 'k', [['bob', null, 1]], [], []])
    await settled()
    const list = room.presence.get()
    expect(room.presence.get()).toBe(list)
    const before = told
    socket.receive([23, 'k', 'typing', 'ada'])
    await settled()
    expect([room.presence.get(), told]).toEqual([list, before])
    socket.receive([24, 'k', [], [['bob', 'x', 1]], []])
    await settled()
    expect(told).toBe(before + 1)
    expect(room.presence.get()).not.toBe(list)
  })

  it('is shared by the handles of a room, and nobody for one that has left', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    void one.join()
    void two.join()
    socket.receive(joined(1, ['ada', null, 1]))
    expect(one.presence.get()).toBe(two.presence.get())
    let told = 0
    one.presence.subscribe(() => told++)
    one.leave()
    await settled()
    expect([shown(one.presence.get()), shown(two.presence.get()), told > 0]).toEqual(['', 'ada:-:1', true])
    socket.receive([27, 'k', 'closed'])
    expect(shown(two.presence.get())).toBe('')
  })

  it('stays as it was after a loss, and is replaced when the room is joined again', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive(joined(1, ['ada', null, 1], ['bob', null, 1]))
    socket.end(1006)
    expect(shown(room.presence.get())).toBe('ada:-:1 bob:-:1')
    await back(made)
    expect(shown(room.presence.get())).toBe('ada:-:1 bob:-:1')
    made.socket.receive(joined(1, ['bob', 'x', 3]))
    expect(shown(room.presence.get())).toBe('bob:x:3')
    // The log goes on elsewhere: that says nothing of who is there.
    made.socket.receive([22, 1, 'k', 0, ['e', 1, 1], 'epoch'])
    expect(shown(room.presence.get())).toBe('bob:x:3')
  })

  it('is not in a room without presence, whatever a server sends', async () => {
    const made = harness()
    const socket = await made.open()
    const room = made.client.rooms.lobby({})
    void room.join()
    socket.receive(joined(1, ['ada', null, 1]), [24, 'k', [], [], []])
    expect(room).not.toHaveProperty('presence')
    expect(room.state).toBe('joined')
  })

  it.each([
    [[24, 'k', [['ada', null]], [], []]],
    [[24, 'k', [['ada', null, 0]], [], []]],
    [[24, 'k', [], [[1, null, 1]], []]],
    [[24, 'k', [], ['ada'], []]],
    [[24, 'k', [], [], [1]]],
    [[22, 1, 'k', 0, null, null, [['ada']]]],
    [[22, 1, 'k', 0, null, null, {}]],
  ])('from %j is a broken protocol', async (frame) => {
    const made = harness()
    const socket = await made.open()
    void general(made).join()
    socket.receive(frame as unknown as ServerFrame)
    expect(socket.closedBy?.code).toBe(4500)
  })

  it('may be named like what objects are made of', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive(joined(1, ['__proto__', null, 1], ['constructor', null, 1]))
    expect(shown(room.presence.get())).toBe('__proto__:-:1 constructor:-:1')
  })
})

describe('what this client shows', () => {
  it('is sent when it is set, and behind each JOIN', async () => {
    const made = harness()
    const socket = await made.open()
    const room = general(made)
    void room.join()
    socket.receive(joined(1))
    room.presence.set('here')
    room.presence.set('away')
    expect(socket.of(8)).toEqual([
      [8, 1, 'here'],
      [8, 1, 'away'],
    ])
    socket.end(1006)
    await back(made)
    expect(made.socket.frames.map((frame) => frame[0])).toEqual([1, 6, 8])
    expect(made.socket.of(8)).toEqual([[8, 1, 'away']])
    made.socket.receive(joined(1))
    expect(made.socket.of(8).length).toBe(1)
  })

  it('waits for a join, as it was when it was set', async () => {
    const made = harness()
    const room = general(made)
    const state = { at: 1 } as unknown as string
    room.presence.set(state)
    Object.assign(state as unknown as object, { at: 2 })
    await settled()
    expect(made.sockets.length).toBe(0)
    void room.join()
    await settled()
    made.socket.open()
    expect(made.socket.frames.slice(1).map((frame) => frame[0])).toEqual([6, 8])
    expect(made.socket.of(8)).toEqual([[8, 1, { at: 1 }]])
    // Left and joined again it is shown again.
    room.leave()
    void room.join()
    expect(made.socket.of(8)).toEqual([
      [8, 1, { at: 1 }],
      [8, 2, { at: 1 }],
    ])
  })

  it('is the newest of all handles', async () => {
    const made = harness()
    const socket = await made.open()
    const [one, two] = [general(made), general(made)]
    void one.join()
    socket.receive(joined(1))
    one.presence.set('one')
    two.presence.set('two')
    expect(socket.of(8).length).toBe(1)
    void two.join()
    expect(socket.of(8)).toEqual([
      [8, 1, 'one'],
      [8, 1, 'two'],
    ])
    two.leave()
    socket.end(1006)
    await back(made)
    expect(made.socket.of(8)).toEqual([[8, 1, 'two']])
  })

  it('throws what JSON cannot carry, and shows what it showed', async () => {
    const made = harness()
    const room = general(made)
    expect(() => room.presence.set(1n as unknown as string)).toThrow(TypeError)
    const socket = await made.open()
    void room.join()
    expect(socket.of(8)).toEqual([])
  })

  it('that is too large is told to onError, once, and costs nothing else', async () => {
    const made = harness()
    const socket = await made.open({ bytes: 200, heartbeat: 0 })
    const room = general(made)
    const answer = watch(room.join())
    socket.receive(joined(1))
    room.presence.set('x'.repeat(200))
    await settled()
    expect(made.errors).toMatchObject([{ code: 'TOO_LARGE' }])
    expect([socket.of(8), answer.value]).toMatchObject([[], { ok: true }])
    expect(made.client.connection.state).toBe('open')
  })

  it.each([
    ['of 4,097 bytes', 'x'.repeat(4095), 'x'.repeat(4094)],
    ['of 4,098 bytes in 1,367 characters', `${'…'.repeat(1365)}x`, '…'.repeat(1364)],
  ])(
    '%s, for which every server closes for good, is told to onError and changes nothing',
    async (_what, large, fits) => {
      const made = harness()
      const socket = await made.open()
      const room = general(made)
      void room.join()
      socket.receive(joined(1))
      room.presence.set(fits)
      room.presence.set(large)
      await settled()
      expect(made.errors).toMatchObject([{ code: 'TOO_LARGE' }])
      expect(socket.of(8)).toEqual([[8, 1, fits]])
      socket.end(1006)
      await back(made)
      expect(made.socket.of(8)).toEqual([[8, 1, fits]])
    },
  )

  it('for which the first flight has no room follows JOINED', async () => {
    const made = harness()
    const room = general(made)
    for (let n = 1; n < 15; n++) void made.client.rooms.channel({ channelId: `${n}` }).join()
    room.presence.set('here')
    void room.join()
    await settled()
    made.socket.open()
    expect(made.socket.frames.map((frame) => frame[0])).toEqual([1, ...Array(15).fill(6)])
    made.socket.receive(welcome({ inFlight: 64 }))
    expect(made.socket.of(8)).toEqual([])
    made.socket.receive(joined(15))
    expect(made.socket.of(8)).toEqual([[8, 15, 'here']])
    expect(made.errors).toEqual([])
  })

  it('moves with the connection', async () => {
    const made = harness()
    const old = await made.open({ heartbeat: 0 })
    const room = general(made)
    void room.join()
    old.receive(joined(1))
    room.presence.set('here')
    void made.client.calls.get.result({})
    await made.clock.advance(10_000)
    old.receive([28, 'restart', 4000])
    await settled()
    room.presence.set('moving')
    made.socket.open()
    expect(old.of(8).at(-1)).toEqual([8, 1, 'moving'])
    expect(made.socket.of(8)).toEqual([[8, 1, 'moving']])
    room.presence.set('moved')
    made.socket.receive(welcome({ heartbeat: 0 }), joined(1, ['me', 'moved', 1]))
    expect([old.of(8).length, made.socket.of(8).at(-1)]).toEqual([2, [8, 1, 'moved']])
    // What the older one still says of the room is not taken.
    old.receive([24, 'k', [], [], ['me']])
    expect(shown(room.presence.get())).toBe('me:moved:1')
  })
})
