import { describe, expect, it } from 'vitest'
import type { WireOperation } from '../../contract/wire/frames.js'
import { type FakeSocket, type Harness, inboxHarness, settled, watch, welcome } from './support/harness.js'

/** Numbers that look random, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const IN_FLIGHT = 4
const CODES = [1006, 1006, 1006, 1013, 4000, 4002, 4506]

/** A server that answers when the dice say so, and keeps count of what it owes. */
class Peer {
  readonly owed = new Map<FakeSocket, Set<number>>()
  mostOwed = 0

  /** Looks at what a socket was sent since the last look. */
  look(socket: FakeSocket): Set<number> {
    const owed = this.owed.get(socket) ?? new Set()
    this.owed.set(socket, owed)
    for (const frame of socket.frames.slice(this.#seen.get(socket) ?? 0)) {
      if (frame[0] === 6 || (frame[0] === 2 && frame[2] !== 'typing')) {
        expect(owed.has(frame[1]), 'a seq that is in use').toBe(false)
        owed.add(frame[1])
      }
    }
    this.#seen.set(socket, socket.frames.length)
    return owed
  }
  readonly #seen = new Map<FakeSocket, number>()
}

async function run(
  seed: number,
): Promise<{ settledOk: number; settledNot: number; joins: number; overlaps: number }> {
  const random = generator(seed)
  const below = (n: number) => Math.floor(random() * n)
  const made: Harness = inboxHarness({
    ...{ outbox: { entries: 30, ttl: 60_000 }, timeout: 8000, random },
    token: async () => {
      if (random() < 0.1) throw new Error('no session')
      return 'token'
    },
    fetch: async () => {
      const statusCode = [401, 404, 426, 503][below(4)] ?? 0
      if (random() < 0.7) throw new TypeError('Failed to fetch')
      return Response.json({ statusCode, message: '', retryAfter: below(5) }, { status: statusCode })
    },
  })
  const { client, clock } = made
  const peer = new Peer()
  const promises: ReturnType<typeof watch>[] = []
  const rooms = [0, 1, 2, 3].map((n) => client.rooms.channel({ channelId: String(n % 3) }))
  let joins = 0
  let overlaps = 0
  for (const room of rooms) {
    room.onGap(() => new Promise<void>((resolve) => clock.setTimeout(resolve, below(3000))))
    room.on('posted', () => {
      if (random() < 0.05) room.leave()
    })
    room.onLeft(() => {
      if (random() < 0.5) void room.join()
    })
  }

  // Those that the client holds, the one to be left too.
  const welcomed = new Set<FakeSocket>()
  const any = () => {
    const live = made.sockets.filter((socket) => socket.readyState < 2)
    if (live.length > 1) overlaps++
    return live[below(live.length)]
  }

  const acts: (() => void | Promise<void>)[] = [
    () => void promises.push(watch(client.calls.get({ n: below(9) }))),
    () => void promises.push(watch(client.calls.list({ n: below(9) }))),
    () => void promises.push(watch(client.calls.message.send({ n: below(9) }, { ttl: below(20_000) }))),
    () => client.calls.typing({}),
    () => {
      const abort = new AbortController()
      promises.push(watch(client.calls.list({}, { signal: abort.signal })))
      if (random() < 0.5) abort.abort()
      else clock.setTimeout(() => abort.abort(), below(5000))
    },
    () => {
      promises.push(watch((rooms[below(4)] ?? made.client.rooms.lobby({})).join({ last: 3 })))
      joins++
    },
    () => rooms[below(4)]?.leave(),
    () => rooms[below(4)]?.presence.set('x'.repeat(below(9))),
    () => client.connection.connect(),
    () => clock.advance(below(4000)),
    () => settled(),
    () => {
      const [entry] = client.outbox.entries()
      if (entry && random() < 0.3) client.outbox.cancel(entry.id)
    },
    () => {
      const socket = made.sockets.at(-1)
      if (socket?.readyState === 0) socket.open()
    },
    () => {
      const socket = made.sockets.at(-1)
      if (socket?.readyState !== 1) return
      if (random() < 0.3) socket.receive([25, 'wanted', 1000])
      if (random() < 0.6) socket.receive([28, 'restart', 1000])
      else {
        welcomed.add(socket)
        socket.receive(
          welcome({ inFlight: IN_FLIGHT, heartbeat: 4000, features: random() < 0.8 ? ['once'] : [] }),
        )
      }
    },
    () => {
      const socket = any()
      if (socket && random() < 0.2) socket.end(CODES[below(CODES.length)] ?? 1006, 'dice')
    },
    ...Array.from({ length: 8 }, () => () => {
      const socket = any()
      if (socket?.readyState !== 1 || client.connection.state !== 'open' || !welcomed.has(socket)) return
      const owed = peer.look(socket)
      if (random() < 0.1) socket.receive([29, random() < 0.5 ? 'degraded' : 'restored'])
      if (random() < 0.1)
        socket.receive([24, `k${below(3)}`, [[`u${below(3)}`, null, 1]], [], [`u${below(3)}`]])
      if (random() < 0.1) socket.receive([22, below(9), `k${below(3)}`, 0, ['f', below(50), 1], 'epoch'])
      const frame = socket.frames.find(([type, seq]) => (type === 2 || type === 6) && owed.has(Number(seq)))
      if (frame === undefined) {
        socket.receive([23, `k${below(3)}`, 'posted', { text: '' }, below(50), below(3)])
        return
      }
      const seq = Number(frame[1])
      owed.delete(seq)
      const key = `k${(frame[3] as { channelId?: string }).channelId}`
      const codes = ['FORBIDDEN', 'RATE_LIMITED', 'UNAVAILABLE', 'INTERNAL']
      if (random() < 0.3)
        socket.receive([19, seq, codes[below(4)] ?? '', null, random() < 0.5 ? below(2000) : null])
      else if (frame[0] === 2) socket.receive([18, seq, null])
      else {
        const gap = random() < 0.2 ? 'trimmed' : null
        const members = random() < 0.5 ? [[`u${below(3)}`, null, 1] as const] : null
        socket.receive([22, seq, key, below(3), ['e', below(50), below(3)], gap, members])
        if (random() < 0.2) socket.receive([27, key, 'evicted'])
      }
    }),
  ]

  for (let step = 0; step < 250; step++) {
    await acts[below(acts.length)]?.()
    for (const socket of made.sockets.slice(-3)) expect(peer.look(socket).size).toBeLessThanOrEqual(15)
    expect(made.sockets.filter((socket) => socket.readyState < 2).length).toBeLessThanOrEqual(2)
    expect(client.outbox.size).toBeLessThanOrEqual(30)
    // Refused inboxes are told there, and nothing else.
    const told = made.errors.map(String).filter((error) => !/no session|^Failure: inbox failed/.test(error))
    expect(told).toEqual([])
  }

  // Within one connection operations stand in their order, and none is below the lowest that has not settled.
  for (const socket of made.sockets) {
    for (const frame of socket.of(2)) {
      if (frame[2] !== 'message.send') continue
      const [, number, low] = frame[5] as WireOperation
      expect(number).toBeGreaterThanOrEqual(low)
    }
    expect(socket.frames.length === 0 || socket.frames[0]?.[0] === 1).toBe(true)
  }

  client.close()
  await clock.advance(100_000)
  expect(promises.filter((promise) => promise.state === 'pending')).toEqual([])
  expect(client.connection.state).toBe('closed')
  expect(client.outbox.size).toBe(0)
  expect(rooms.map((room) => room.state)).toEqual(['out', 'out', 'out', 'out'])
  expect(clock.pending).toBe(0)
  const settledOk = promises.filter((promise) => promise.state === 'resolved').length
  return { settledOk, settledNot: promises.length - settledOk, joins, overlaps }
}

describe('whatever happens', () => {
  it('every promise settles, every bound holds, and nothing is left behind', async () => {
    const sum = { settledOk: 0, settledNot: 0, joins: 0, overlaps: 0 }
    for (let seed = 1; seed <= 40; seed++) {
      const one = await run(seed)
      for (const key of ['settledOk', 'settledNot', 'joins', 'overlaps'] as const) sum[key] += one[key]
    }
    // It has really been through good and bad.
    expect(sum.settledOk).toBeGreaterThan(200)
    expect(sum.settledNot).toBeGreaterThan(200)
    expect(sum.joins).toBeGreaterThan(100)
    expect(sum.overlaps).toBeGreaterThan(100)
  }, 60_000)
})
