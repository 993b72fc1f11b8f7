import { describe, expect, it } from 'vitest'
import { type FakeSocket, type Harness, harness, settled, watch, welcome } from './support/harness.js'

const GOAWAY = [28, 'restart', 4000] as const
const MOVED = { code: 4004, reason: 'replaced by the next connection' }

/** A client that the server has asked to leave: its connection, and the next one, dialing. */
async function leaving(made: Harness, before: (socket: FakeSocket) => void | Promise<void> = () => {}) {
  const old = await made.open()
  await made.clock.advance(10_000)
  await before(old)
  old.receive([...GOAWAY])
  await settled()
  return { old, next: made.socket }
}

/** The next connection has its WELCOME. */
async function arrive(next: FakeSocket): Promise<void> {
  next.open()
  next.receive(welcome())
  await settled()
}

/** What a stream gives, as it comes. */
function readStream({ client }: Harness): { readonly items: unknown[] } {
  const items: unknown[] = []
  void (async () => {
    for await (const item of client.calls.follow({})) items.push(item)
    items.push('end')
  })()
  return { items }
}

describe('GOAWAY', () => {
  it('opens the next connection, then leaves the old one, and stays open all the time', async () => {
    const made = harness()
    const states = new Set<string>()
    const { old, next } = await leaving(made, () => {
      made.client.connection.subscribe(() => states.add(made.client.connection.state))
    })
    expect(made.sockets).toEqual([old, next])
    expect(old.closedBy).toBe(undefined)
    next.open()
    expect(next.frames[0]?.[1]).toBe(old.frames[0]?.[1])
    expect(old.closedBy).toBe(undefined)
    next.receive(welcome())
    expect(old.closedBy).toEqual(MOVED)
    await made.clock.advance(10_000)
    expect([...states]).toEqual(['open'])
    expect(made.client.connection.get()).toMatchObject({ state: 'open', attempt: 0, retryIn: undefined })
    expect(made.errors).toEqual([])
    expect(made.sockets.length).toBe(2)
  })

  it('has calls in flight answered where they are, and sends new ones on the next connection', async () => {
    const made = harness()
    const calls = made.client.calls
    const before: ReturnType<typeof watch>[] = []
    const { old, next } = await leaving(made, () => {
      before.push(watch(calls.get({})), watch(calls.list({})), watch(calls.message.send({})))
    })
    const after = [watch(calls.get({})), watch(calls.list({}))]
    expect(old.of(2).length).toBe(3)
    await arrive(next)
    expect(old.of(2).length).toBe(3)
    expect(next.of(2).map((frame) => frame[2])).toEqual(['get', 'list'])
    // The same numbers on two connections, and each answer where it belongs.
    next.receive([18, 1, 'new get'], [18, 2, 'new list'])
    old.receive([18, 1, 'old get'], [18, 2, 'old list'])
    await settled()
    expect(old.closedBy).toBe(undefined)
    old.receive([18, 3, 'old send'])
    expect(old.closedBy).toEqual(MOVED)
    await settled()
    expect([...before, ...after].map(({ value }) => value)).toEqual([
      ...['old get', 'old list', 'old send', 'new get', 'new list'],
    ])
  })

  it("keeps the order of 'once' calls: none runs while one before it is still out on the old connection", async () => {
    const made = harness()
    const { old, next } = await leaving(made, () => void made.client.calls.message.send.result({ n: 1 }))
    void made.client.calls.message.send.result({ n: 2 })
    await arrive(next)
    expect(next.of(2)).toEqual([])
    old.receive([18, 1, null])
    expect(next.of(2).map((frame) => frame[3])).toEqual([{ n: 2 }])
  })

  it('takes a call back where it was sent', async () => {
    const made = harness()
    const abort = new AbortController()
    const { old, next } = await leaving(made, () => {
      void made.client.calls.get.result({}, { signal: abort.signal })
    })
    await arrive(next)
    abort.abort()
    expect(old.of(3)).toEqual([[3, 1]])
    expect(next.of(3)).toEqual([])
    old.receive([19, 1, 'CANCELLED', null])
    expect(old.closedBy).toEqual(MOVED)
  })

  it('sends what was lost with the old connection again on the next, as its delivery says', async () => {
    const made = harness()
    const seen: Record<string, ReturnType<typeof watch>> = {}
    const { old, next } = await leaving(made, () => {
      seen.get = watch(made.client.calls.get({}))
      seen.list = watch(made.client.calls.list({}))
      seen.send = watch(made.client.calls.message.send({}))
    })
    await arrive(next)
    old.end(1012, 'server restarts')
    await settled()
    expect(made.client.connection.state).toBe('open')
    expect(seen.get).toMatchObject({ state: 'rejected', error: { code: 'CONNECTION_LOST' } })
    expect(next.of(2).map((frame) => frame[2])).toEqual(['list', 'message.send'])
    // It may have run there: the server is told.
    expect(next.of(2)[1]?.[5]).toMatchObject({ 3: true })
  })

  it('reads a stream to its end where it began', async () => {
    const made = harness()
    const items: unknown[] = []
    const { old, next } = await leaving(made, async (socket) => {
      void (async () => {
        for await (const item of made.client.calls.follow({})) items.push(item)
        items.push('end')
      })()
      await settled()
      socket.receive([20, 1, 'one'])
    })
    await arrive(next)
    for (let i = 2; i < 20; i++) {
      old.receive([20, 1, i])
      await settled()
    }
    // Credit goes where the stream is.
    expect(old.of(4).length).toBeGreaterThan(1)
    expect([...next.of(2), ...next.of(4)]).toEqual([])
    expect(old.closedBy).toBe(undefined)
    old.receive([18, 1, null])
    await settled()
    expect(items.length).toBe(20)
    expect(items.at(-1)).toBe('end')
    expect(old.closedBy).toEqual(MOVED)
  })

  it('drops volatile calls until the next connection is open', async () => {
    const made = harness()
    const { old, next } = await leaving(made)
    made.client.calls.typing({ n: 1 })
    await arrive(next)
    made.client.calls.typing({ n: 2 })
    expect(old.of(2)).toEqual([])
    expect(next.of(2).map((frame) => frame[3])).toEqual([{ n: 2 }])
  })

  it('joins rooms on the next connection where they stand, and hears no more of them from the old one', async () => {
    const made = harness()
    const room = made.client.rooms.channel({ channelId: 'a' })
    const heard: string[] = []
    const states = new Set<string>()
    room.on('posted', ({ text }) => heard.push(text))
    const { old, next } = await leaving(made, async (socket) => {
      void room.join()
      socket.receive([22, 1, 'k', 0, ['e', 5, 50]])
      await settled()
      room.subscribe(() => states.add(room.state))
    })
    old.receive([23, 'k', 'posted', { text: 'six' }, 6, 60])
    next.open()
    expect(next.of(6)).toEqual([[6, 1, 'channel', { channelId: 'a' }, ['e', 6, 60], null]])
    old.receive([23, 'k', 'posted', { text: 'seven, late' }, 7, 70], [27, 'k', 'closed'])
    next.receive(welcome(), [22, 1, 'k', 1, ['e', 7, 70]])
    next.receive([23, 'k', 'posted', { text: 'seven' }, 7, 70], [23, 'k', 'posted', { text: 'eight' }, 8, 80])
    expect(heard).toEqual(['six', 'seven', 'eight'])
    await settled()
    expect([...states]).toEqual(['joined'])
    expect(room.state).toBe('joined')
    room.leave()
    expect(next.of(7)).toEqual([[7, 1]])
    expect(old.of(7)).toEqual([])
  })

  it('does not take the answer to a JOIN on the old connection for the one on the next', async () => {
    const made = harness()
    const room = made.client.rooms.channel({ channelId: 'a' })
    let joined: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      joined = watch(room.join())
    })
    next.open()
    expect(next.of(6)[0]?.[1]).toBe(1)
    old.receive([22, 1, 'k', 0, ['e', 1, 10]])
    expect(room.state).toBe('joining')
    next.receive(welcome(), [22, 1, 'k', 0, ['e', 2, 20]])
    await settled()
    expect(joined).toMatchObject({ state: 'resolved', value: { position: { offset: 2 } } })
    expect(old.closedBy).toEqual(MOVED)
  })

  it('says that a room is not in where its JOIN on the next connection is refused', async () => {
    const made = harness()
    const room = made.client.rooms.channel({ channelId: 'a' })
    const left: string[] = []
    room.onLeft((why) => left.push(why))
    const { next } = await leaving(made, async (socket) => {
      void room.join()
      socket.receive([22, 1, 'k', 0])
      await settled()
    })
    await arrive(next)
    next.receive([19, 1, 'UNAVAILABLE', null, 500])
    expect(room.state).toBe('joining')
    await made.clock.advance(500)
    expect(next.of(6).length).toBe(2)
    next.receive([19, 2, 'FORBIDDEN', null])
    expect(room.state).toBe('out')
    expect(left).toEqual(['refused'])
  })

  it('answers an ask on the connection that asked, and stays there until it has', async () => {
    const made = harness()
    let accept = (_: { accepted: boolean }): void => {}
    made.client.events.handle('order.offered', () => new Promise((resolve) => (accept = resolve)))
    const { old, next } = await leaving(made, (socket) =>
      socket.receive([21, 'order.offered', { id: '1' }, 7]),
    )
    await arrive(next)
    expect(old.closedBy).toBe(undefined)
    accept({ accepted: true })
    await settled()
    expect(old.of(5)).toEqual([[5, 7, { accepted: true }]])
    expect(next.of(5)).toEqual([])
    expect(old.closedBy).toEqual(MOVED)
  })

  it('hears events of both connections until the old one is left', async () => {
    const made = harness()
    const heard: string[] = []
    made.client.events.on('news', (news) => heard.push(news))
    const { old, next } = await leaving(made, () => void made.client.calls.get.result({}))
    await arrive(next)
    old.receive([21, 'news', 'from the old'])
    next.receive([21, 'news', 'from the next'])
    old.receive([18, 1, null])
    old.receive([21, 'news', 'too late'])
    expect(heard).toEqual(['from the old', 'from the next'])
  })
})

describe('a next connection that cannot be opened', () => {
  it('is tried again with backoff while the old one lives', async () => {
    const made = harness()
    const { old, next } = await leaving(made, () => void made.client.calls.get.result({}))
    const waiting = watch(made.client.calls.list({}))
    next.end(1006)
    expect(made.client.connection.get()).toMatchObject({ state: 'open', attempt: 1, retryIn: undefined })
    await made.clock.advance(249)
    expect(made.sockets.length).toBe(2)
    await made.clock.advance(1)
    expect(made.sockets.length).toBe(3)
    // Refused again, and by the server's word.
    made.socket.open()
    made.socket.end(1013, 'full')
    await made.clock.advance(4999)
    expect(made.sockets.length).toBe(3)
    await made.clock.advance(1)
    expect(made.sockets.length).toBe(4)
    expect(made.client.connection.state).toBe('open')
    expect(waiting.state).toBe('pending')
    await arrive(made.socket)
    made.socket.receive([18, 1, 'answer'])
    await settled()
    expect(waiting).toMatchObject({ state: 'resolved', value: 'answer' })
    expect(old.closedBy).toBe(undefined)
    old.receive([18, 1, null])
    expect(old.closedBy).toEqual(MOVED)
  })

  it('keeps a call waiting that is not sent again, as long as it may', async () => {
    const made = harness()
    const { next } = await leaving(made, () => void made.client.calls.get.result({}))
    const [patient, hasty] = [
      watch(made.client.calls.get({})),
      watch(made.client.calls.get({}, { timeout: 200 })),
    ]
    next.end(1006)
    await made.clock.advance(250)
    expect(hasty).toMatchObject({ state: 'rejected', error: { code: 'TIMEOUT' } })
    expect(patient.state).toBe('pending')
    await arrive(made.socket)
    made.socket.receive([18, 1, 'answer'])
    await settled()
    expect(patient.value).toBe('answer')
  })

  it('takes no longer than an attempt may', async () => {
    const made = harness({ connectTimeout: 3000 })
    const { next } = await leaving(made)
    next.open()
    await made.clock.advance(3000)
    expect(next.closedBy?.code).toBe(4000)
    expect(made.client.connection.state).toBe('open')
    await made.clock.advance(250)
    expect(made.sockets.length).toBe(3)
  })

  it('waits as it did when the old one ends first, which is then an ordinary loss', async () => {
    const made = harness()
    const { old, next } = await leaving(made)
    const [queued, attempted] = [watch(made.client.calls.list({})), watch(made.client.calls.get({}))]
    next.end(1006)
    await settled()
    expect(attempted.state).toBe('pending')
    await made.clock.advance(100)
    old.end(1012, 'server restarts')
    await settled()
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', attempt: 1, retryIn: 250 })
    // There is no server now: what is not queued is told so.
    expect(attempted).toMatchObject({ state: 'rejected', error: { code: 'OFFLINE' } })
    await made.clock.advance(149)
    expect(made.sockets.length).toBe(2)
    await made.clock.advance(1)
    await arrive(made.socket)
    made.socket.receive([18, 1, 'answer'])
    await settled()
    expect(queued.value).toBe('answer')
  })

  it("does not forget the server's word when the old one ends while it waits", async () => {
    const refusal = { statusCode: 503, code: 'CLOSING', message: 'the server is closing', retryAfter: 60 }
    const made = harness({ fetch: async () => new Response(JSON.stringify(refusal), { status: 503 }) })
    const { old, next } = await leaving(made)
    const told = made.clock.now()
    next.end(1006)
    await settled()
    await made.clock.advance(1000)
    old.end(1012, 'server restarts')
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', closed: { code: 1013 } })
    while (made.sockets.length === 2) await made.clock.advance(500)
    expect(made.clock.now() - told).toBeGreaterThanOrEqual(60_000)
  })

  it('goes on dialing when the old one ends meanwhile', async () => {
    const made = harness()
    const { old, next } = await leaving(made, () => void made.client.calls.list.result({}))
    const attempted = watch(made.client.calls.get({}))
    old.end(1012, 'server restarts')
    expect(made.client.connection.get()).toMatchObject({ state: 'connecting', closed: { code: 1012 } })
    expect(next.closedBy).toBe(undefined)
    await arrive(next)
    expect(made.client.connection.state).toBe('open')
    expect(next.of(2).map((frame) => frame[2])).toEqual(['list', 'get'])
    expect(attempted.state).toBe('pending')
    expect(made.sockets.length).toBe(2)
  })

  it('goes on where its HELLO fenced the old one', async () => {
    const made = harness()
    const { old, next } = await leaving(made)
    next.open()
    old.end(4505, 'the session has a newer connection')
    expect(made.client.connection.state).toBe('connecting')
    next.receive(welcome())
    expect(made.client.connection.state).toBe('open')
  })

  it('closes the client where it was refused for good; what is in flight on the old one is still answered', async () => {
    const made = harness()
    let list: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      list = watch(made.client.calls.list({}))
    })
    const late = [watch(made.client.calls.list({})), watch(made.client.calls.get({}))]
    next.end(4506, 'token missing or refused')
    expect(made.client.connection.get()).toMatchObject({
      state: 'closed',
      closed: { code: 4506, reason: 'token missing or refused' },
    })
    late.push(watch(made.client.calls.list({})), watch(made.client.calls.get({})))
    await settled()
    const refused = { state: 'rejected', error: { code: 'UNAUTHORIZED' } }
    expect(late).toMatchObject([refused, refused, refused, refused])
    await made.clock.advance(25_000)
    expect(made.sockets.length).toBe(2)
    expect([list?.state, old.closedBy]).toEqual(['pending', undefined])
    old.receive([18, 1, 'answer'])
    await settled()
    expect(list).toMatchObject({ state: 'resolved', value: 'answer' })
    expect(old.closedBy?.code).toBe(1000)
    expect(made.clock.pending).toBe(0)
  })

  it('may be refused for good and asked for afresh while the old one still answers', async () => {
    const made = harness()
    let list: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      list = watch(made.client.calls.list({}))
    })
    next.end(4506, 'token missing or refused')
    made.client.connection.connect()
    expect(made.client.connection.state).toBe('connecting')
    await settled()
    await arrive(made.socket)
    expect([made.client.connection.state, old.closedBy]).toEqual(['open', undefined])
    old.receive([18, 1, 'answer'])
    await settled()
    expect(list?.value).toBe('answer')
    expect(old.closedBy).toEqual(MOVED)
  })

  it('refused for good settles a call that the old one asks to repeat later', async () => {
    const made = harness()
    let list: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      list = watch(made.client.calls.list({}))
    })
    next.end(4506, 'token missing or refused')
    old.receive([19, 1, 'UNAVAILABLE', null, 500])
    await settled()
    expect(list).toMatchObject({ state: 'rejected', error: { code: 'UNAUTHORIZED' } })
    expect(made.clock.pending).toBe(0)
  })

  it('that the server turned away takes its calls into the next attempt', async () => {
    const made = harness()
    const { next } = await leaving(made, () => void made.client.calls.get.result({}))
    const stream = readStream(made)
    const call = watch(made.client.calls.get({}))
    await settled()
    next.open()
    expect(next.of(2).map((frame) => frame[2])).toEqual(['follow', 'get'])
    next.end(1013, 'full')
    await settled()
    expect([call.state, stream.items]).toEqual(['pending', []])
    await made.clock.advance(2500)
    await arrive(made.socket)
    expect(made.socket.of(2).map((frame) => frame[2])).toEqual(['follow', 'get'])
    expect(made.socket.of(4)).toEqual([[4, 1, 16]])
    made.socket.receive([20, 1, 'one'], [18, 1, null], [18, 2, 'answer'])
    await settled()
    expect([call.value, stream.items]).toEqual(['answer', ['one', 'end']])
  })

  it('ends for good where the application disconnects the old one', async () => {
    const made = harness()
    const { old, next } = await leaving(made)
    next.open()
    old.end(4509, 'disconnected by the application')
    expect(made.client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 4509 } })
    expect(next.closedBy).not.toBe(undefined)
    await made.clock.advance(60_000)
    expect(made.sockets.length).toBe(2)
  })
})

describe('in the middle of a move', () => {
  it('GOAWAY before WELCOME says nothing', async () => {
    const made = harness()
    made.client.connection.connect()
    await settled()
    made.socket.open()
    made.socket.receive([...GOAWAY], welcome())
    await settled()
    expect(made.sockets.length).toBe(1)
    expect(made.client.connection.state).toBe('open')
  })

  it('GOAWAY again from the old connection says nothing', async () => {
    const made = harness()
    const { old, next } = await leaving(made, () => void made.client.calls.get.result({}))
    old.receive([...GOAWAY])
    await arrive(next)
    old.receive([...GOAWAY])
    await settled()
    expect(old.closedBy).toBe(undefined)
    expect(made.sockets.length).toBe(2)
    expect(made.client.connection.state).toBe('open')
  })

  it('GOAWAY from the next connection moves on, and the first is not waited for any longer', async () => {
    const made = harness()
    let first: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      first = watch(made.client.calls.get({}))
    })
    await arrive(next)
    const second = watch(made.client.calls.get({}))
    next.receive([...GOAWAY])
    await settled()
    expect(old.closedBy).toEqual(MOVED)
    expect(first).toMatchObject({ state: 'rejected', error: { code: 'CONNECTION_LOST' } })
    const unsent = watch(made.client.calls.get({}))
    await made.clock.advance(250)
    expect([made.client.connection.state, unsent.state]).toEqual(['open', 'pending'])
    expect(made.sockets.length).toBe(3)
    const third = made.socket
    await arrive(third)
    expect(next.closedBy).toBe(undefined)
    next.receive([18, 1, 'answer'])
    expect(next.closedBy).toEqual(MOVED)
    await settled()
    expect(second.value).toBe('answer')
    expect(made.client.connection.state).toBe('open')
  })

  it('GOAWAY right behind each WELCOME is followed no faster than the backoff', async () => {
    const made = harness()
    let { next } = await leaving(made)
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      next.open()
      next.receive(welcome(), [...GOAWAY])
      await settled()
      const since = made.clock.now()
      while (made.socket === next) await made.clock.advance(50)
      waits.push(made.clock.now() - since)
      next = made.socket
    }
    expect(made.client.connection.state).toBe('open')
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
  })

  it('close() while the next connection waits to be tried again is closed at once', async () => {
    const made = harness()
    const calls: ReturnType<typeof watch>[] = []
    const { old, next } = await leaving(made, () => void calls.push(watch(made.client.calls.get({}))))
    next.end(1006)
    calls.push(watch(made.client.calls.get({})))
    made.client.close()
    await settled()
    expect(made.client.connection.state).toBe('closed')
    expect(old.closedBy?.code).toBe(1000)
    expect(calls).toMatchObject([{ error: { code: 'CONNECTION_LOST' } }, { error: { code: 'CLOSED' } }])
    expect(made.clock.pending).toBe(0)
  })

  it('close() ends both connections, and what was in flight on either', async () => {
    for (const how of ['dialing', 'opening', 'open']) {
      const made = harness()
      const seen: ReturnType<typeof watch>[] = []
      const { old, next } = await leaving(made, () => {
        seen.push(watch(made.client.calls.get({})), watch(made.client.calls.list({})))
      })
      if (how !== 'dialing') next.open()
      if (how === 'open') next.receive(welcome())
      seen.push(watch(made.client.calls.list({})))
      made.client.close()
      expect(made.client.connection.state).toBe('closing')
      expect(old.closedBy?.code).toBe(1000)
      expect(next.closedBy?.code).toBe(1000)
      await settled()
      // The one that was in the first flight may have run, the one that never left has not.
      const third = how === 'dialing' ? 'CLOSED' : 'CONNECTION_LOST'
      expect(seen.map(({ error }) => (error as { code: string }).code)).toEqual([
        ...['CONNECTION_LOST', 'CONNECTION_LOST', third],
      ])
      next.end(1000)
      old.end(1000)
      await settled()
      expect(made.client.connection.state).toBe('closed')
      expect(made.clock.pending).toBe(0)
    }
  })

  it('close() while the token of the next connection is fetched is closed at once', async () => {
    let asked = 0
    const made = harness({ token: () => (++asked === 1 ? 'first' : new Promise<string>(() => {})) })
    const { old } = await leaving(made)
    expect(made.sockets).toEqual([old])
    made.client.close()
    expect(made.client.connection.state).toBe('closed')
    expect(old.closedBy?.code).toBe(1000)
    expect(made.clock.pending).toBe(0)
  })

  it('sleep is survived: late timers give up the attempt, and the old connection is probed first', async () => {
    const made = harness()
    const { old, next } = await leaving(made, () => void made.client.calls.get.result({}, { timeout: 1e6 }))
    made.clock.late = 60_000
    await made.clock.advance(50_000)
    made.clock.late = 0
    expect(next.closedBy?.code).toBe(4000)
    expect(old.of(10)).toEqual([[10]])
    expect(made.client.connection.state).toBe('open')
    old.receive([26])
    await made.clock.advance(1000)
    await arrive(made.socket)
    old.receive([18, 1, null])
    expect(old.closedBy).toEqual(MOVED)
  })

  it('an old connection that died without a word is noticed, and so are its calls', async () => {
    const made = harness()
    let list: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      list = watch(made.client.calls.list({}, { timeout: 1e6 }))
    })
    await arrive(next)
    for (let i = 0; i < 5; i++) {
      await made.clock.advance(12_500)
      next.receive([26])
    }
    expect(old.closedBy?.code).toBe(4000)
    expect(made.client.connection.state).toBe('open')
    expect(next.of(2).map((frame) => frame[2])).toEqual(['list'])
    next.receive([18, 1, 'answer'])
    await settled()
    expect(list?.value).toBe('answer')
  })

  it('the next connection may be lost while calls are in flight on the old one', async () => {
    const made = harness()
    let first: ReturnType<typeof watch> | undefined
    const { old, next } = await leaving(made, () => {
      first = watch(made.client.calls.get({}))
    })
    await arrive(next)
    const second = watch(made.client.calls.list({}))
    next.end(1006)
    expect(made.client.connection.state).toBe('waiting')
    old.receive([18, 1, 'answer'])
    await settled()
    expect(first?.value).toBe('answer')
    expect(old.closedBy).toEqual(MOVED)
    expect(made.client.connection.state).toBe('waiting')
    await made.clock.advance(500)
    await arrive(made.socket)
    made.socket.receive([18, 1, 'again'])
    await settled()
    expect(second.value).toBe('again')
  })
})
