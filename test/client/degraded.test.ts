import { describe, expect, it } from 'vitest'
import type { ServerFrame } from '../../contract/wire/frames.js'
import { type Harness, harness, inboxHarness, settled, watch, welcome } from './support/harness.js'

const DEGRADED: ServerFrame = [29, 'degraded']
const RESTORED: ServerFrame = [29, 'restored']
const away = (seq: number, retryAfter?: number): ServerFrame => [19, seq, 'UNAVAILABLE', null, retryAfter]
const general = ({ client }: Harness) => client.rooms.channel({ channelId: 'general' })
const failure = (code: string) => ({ state: 'rejected', error: expect.objectContaining({ code }) })

/** Refuses each CALL as it comes, for so many ms: how many were refused. */
async function refuseFor(made: Harness, ms: number): Promise<number> {
  let refused = 0
  for (const end = made.clock.time + ms; made.clock.time < end; await made.clock.advance(50)) {
    const { length } = made.socket.of(2)
    while (refused < length) made.socket.receive(away(++refused))
  }
  return refused
}

describe('a queued call, refused with UNAVAILABLE while the server is degraded,', () => {
  for (const delivery of ['repeat', 'once'] as const) {
    it(`waits beyond the eighth refusal, of delivery ${delivery}`, async () => {
      const made = harness()
      const { calls } = made.client
      const socket = await made.open({ heartbeat: 0 })
      socket.receive(DEGRADED)
      const call = watch(delivery === 'once' ? calls.message.send({}) : calls.list({}))
      const refused = await refuseFor(made, 300_000)
      expect(refused).toBeGreaterThan(8)
      expect(refused).toBeLessThan(40)
      expect(call.state).toBe('pending')
      socket.receive(RESTORED)
      await made.clock.advance(1000)
      expect(socket.of(2).length).toBe(refused + 1)
      socket.receive([18, refused + 1, 'done'])
      await settled()
      expect(call.value).toBe('done')
      expect(made.clock.pending).toBe(0)
    })
  }

  it('has all eight refusals before it once that is over', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    socket.receive(DEGRADED)
    const call = watch(made.client.calls.list({}))
    const before = await refuseFor(made, 100_000)
    socket.receive(RESTORED)
    for (let seq = before + 1; seq <= before + 8; seq++) {
      await made.clock.advance(seq === before + 1 ? 1000 : 30_000)
      expect([seq, call.state]).toEqual([seq, 'pending'])
      socket.receive(away(seq))
    }
    await settled()
    expect(call).toEqual(failure('UNAVAILABLE'))
  })

  it('waits for as long as its ttl, however long its next wait would be', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    socket.receive(DEGRADED)
    const [one, two] = [1, 2].map(() => watch(made.client.calls.list({}, { ttl: 10_000 })))
    socket.receive(away(1, 60_000), away(2))
    await made.clock.advance(9000)
    expect(socket.of(2).length).toBe(3)
    socket.receive(away(3, 60_000))
    await made.clock.advance(999)
    expect([one?.state, two?.state]).toEqual(['pending', 'pending'])
    await made.clock.advance(1)
    expect([one, two]).toEqual([failure('EXPIRED'), failure('EXPIRED')])
    expect(socket.of(2).length).toBe(3)
    expect(made.clock.pending).toBe(0)
  })

  it('fails by any other refusal as ever', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    socket.receive(DEGRADED)
    const call = watch(made.client.calls.list({}, { ttl: 1000 }))
    socket.receive([19, 1, 'RATE_LIMITED', null, 1000])
    await settled()
    expect(call).toEqual(failure('RATE_LIMITED'))
  })
})

describe('a first join that is refused with UNAVAILABLE', () => {
  for (const degraded of [[DEGRADED], []]) {
    it(`is sent again as it was ${degraded.length ? 'while the server is degraded' : 'before STATE says why'}`, async () => {
      const made = harness()
      const socket = await made.open({ heartbeat: 0 })
      socket.receive(...degraded)
      const room = general(made)
      const joined = watch(room.join({ last: 5 }))
      for (let seq = 1; seq <= 12; seq++) {
        socket.receive(away(seq))
        await made.clock.advance(30_000)
        expect([room.state, joined.state]).toEqual(['joining', 'pending'])
      }
      expect(socket.of(6).map((frame) => frame[5])).toEqual(Array(13).fill(5))
      socket.receive([22, 13, 'k', 0])
      await settled()
      expect([room.state, joined.value]).toEqual(['joined', expect.objectContaining({ ok: true })])
    })
  }

  it('settles by what ends it: leave, close, another refusal', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const rooms = ['a', 'b', 'c'].map((channelId) => made.client.rooms.channel({ channelId }))
    const joins = rooms.map((room) => watch(room.join()))
    socket.receive(away(1), away(2), away(3))
    rooms[0]?.leave()
    await made.clock.advance(250)
    expect(socket.of(6).map((frame) => frame[3])).toEqual(
      ['a', 'b', 'c', 'b', 'c'].map((channelId) => ({ channelId })),
    )
    socket.receive([19, 4, 'FORBIDDEN', null], away(5))
    made.client.close()
    await settled()
    expect(joins.map(({ value }) => value)).toEqual(
      ['CANCELLED', 'FORBIDDEN', 'CLOSED'].map((code) => ({
        ok: false,
        error: expect.objectContaining({ code }),
      })),
    )
    expect(rooms.map(({ state }) => state)).toEqual(['out', 'out', 'out'])
  })

  it('is sent once on the next connection', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const joined = watch(general(made).join())
    socket.receive(DEGRADED, away(1))
    socket.end(1006)
    const next = await made.open({ heartbeat: 0 })
    next.receive([22, 1, 'k', 0])
    await made.clock.advance(60_000)
    expect(next.of(6).length).toBe(1)
    expect(joined.value).toMatchObject({ ok: true })
  })
})

describe('what waits because of UNAVAILABLE', () => {
  /** An inbox, a room and two calls that wait for about an hour, by the server's word. */
  async function waiting(): Promise<Harness> {
    const made = inboxHarness()
    void general(made).join()
    const socket = await made.open({ heartbeat: 0 })
    socket.receive(DEGRADED, [22, 1, 'ada', 0, ['e', 3, 1]], [22, 2, 'k', 0])
    await made.clock.advance(10_000)
    socket.end(1006)
    const next = await made.open({ heartbeat: 0 })
    next.receive(DEGRADED)
    void made.client.calls.message.send.result({ n: 1 })
    void made.client.calls.list.result({ n: 2 })
    void made.client.calls.message.send.result({ n: 3 })
    // In another order than they were made in.
    next.receive(away(4, 3_600_000), away(3, 3_600_000), away(2, 3_600_000), away(1, 3_600_000))
    next.receive(away(5, 3_600_000))
    return made
  }
  const asked = (made: Harness) => made.socket.frames.slice(6).map((frame) => [frame[0], frame[2], frame[3]])
  const EVERYTHING = [
    [6, '', {}],
    [6, 'channel', { channelId: 'general' }],
    [2, 'message.send', { n: 1 }],
    [2, 'list', { n: 2 }],
    [2, 'message.send', { n: 3 }],
  ]

  it('is tried again within a second at random of "restored", in its order', async () => {
    const made = await waiting()
    expect(made.socket.frames.length).toBe(6)
    made.dice.roll = 0.8
    made.socket.receive(RESTORED)
    await made.clock.advance(799)
    expect(asked(made)).toEqual([])
    await made.clock.advance(1)
    expect(asked(made)).toEqual(EVERYTHING)
    await made.clock.advance(20_000)
    expect(asked(made)).toEqual(EVERYTHING)
  })

  it('backs off from the start again where "restored" was too early', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    void general(made).join()
    void made.client.calls.list.result({})
    socket.receive(DEGRADED)
    const answered = () => {
      const [join, call] = [6, 2].map((type) => Number(socket.of(type as 6 | 2).at(-1)?.[1]))
      socket.receive(away(join ?? 0), away(call ?? 0))
    }
    for (let round = 1; round <= 8; round++) {
      answered()
      await made.clock.advance(15_000)
    }
    answered()
    socket.receive(RESTORED)
    await made.clock.advance(1000)
    expect([socket.of(6).length, socket.of(2).length]).toEqual([10, 10])
    answered()
    await made.clock.advance(250)
    expect([socket.of(6).length, socket.of(2).length]).toEqual([11, 11])
  })

  it('does not wait on the next connection either', async () => {
    const made = await waiting()
    made.socket.end(1006)
    const next = await made.open({ heartbeat: 0 })
    await made.clock.advance(1000)
    expect(next.frames.slice(1).map((frame) => [frame[0], frame[2], frame[3]])).toEqual(EVERYTHING)
  })

  it('leaves no timer behind where the client is closed', async () => {
    for (const last of [[], [RESTORED]]) {
      const made = await waiting()
      made.socket.receive(...last)
      made.client.close()
      made.socket.end(1000)
      await settled()
      expect(made.clock.pending).toBe(0)
    }
  })

  it('waits on where the server never was degraded, and where it has to wait for another reason', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    void general(made).join()
    socket.receive([22, 1, 'k', 0])
    socket.end(1006)
    const next = await made.open({ heartbeat: 0 })
    void made.client.calls.list.result({})
    next.receive([19, 1, 'RATE_LIMITED', null, 5000], [19, 2, 'RATE_LIMITED', null, 5000])
    next.receive(RESTORED, DEGRADED, RESTORED)
    await made.clock.advance(4999)
    expect(next.frames.length).toBe(3)
    await made.clock.advance(1)
    expect(next.frames.length).toBe(5)
  })
})

it('a room that moves while it waits is joined once, on the newer connection', async () => {
  const made = harness()
  const old = await made.open({ heartbeat: 0 })
  await made.clock.advance(10_000)
  void made.client.calls.get.result({})
  const joined = watch(general(made).join())
  old.receive(DEGRADED, away(2), [28, 'restart', 4000])
  await settled()
  made.socket.open()
  made.socket.receive(welcome({ heartbeat: 0 }))
  await made.clock.advance(2000)
  expect([old.of(6).length, made.socket.of(6).length]).toEqual([1, 1])
  made.socket.receive([22, 1, 'k', 0])
  await made.clock.advance(30_000)
  expect(joined.value).toMatchObject({ ok: true })
  expect(made.socket.of(6).length).toBe(1)
})

it('join takes options that are there and undefined', async () => {
  const made = inboxHarness({ inbox: { since: undefined, last: undefined } })
  const socket = await made.open({ heartbeat: 0 })
  void general(made).join({ since: undefined, last: undefined })
  expect(socket.of(6).map((frame) => frame.slice(4))).toEqual([
    [null, null],
    [null, null],
  ])
  const none = harness({ inbox: undefined })
  none.client.close()
})
