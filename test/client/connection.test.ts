import { afterEach, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../client/index.js'
import { CLOSE, reconnects, retryOf } from '../../contract/wire/close-codes.js'
import { descriptor, FakeClock, FakeSocket, harness, settled, watch, welcome } from './support/harness.js'

describe('a server that cannot store or share', () => {
  it('is seen in the picture until it can, or the connection ends', async () => {
    const { client, open } = harness()
    const seen: unknown[] = []
    client.connection.subscribe(() => {
      const { state, degraded } = client.connection.get()
      seen.push([state, degraded])
    })
    const socket = await open({ heartbeat: 0 })
    const before = client.connection.get()
    socket.receive([29, 'restored'])
    expect(client.connection.get()).toBe(before)
    for (const state of ['degraded', 'restored', 'degraded']) {
      socket.receive([29, state])
      await settled()
    }
    socket.end(1006)
    await settled()
    expect(seen.slice(-5)).toEqual([
      ['open', false],
      ['open', true],
      ['open', false],
      ['open', true],
      ['waiting', false],
    ])
    const next = await open({ heartbeat: 0 })
    expect(client.connection.get().degraded).toBe(false)
    next.receive([29, 'degraded'])
    expect(client.connection.get().degraded).toBe(true)
    client.close()
    expect(client.connection.get().degraded).toBe(false)
  })

  it('is the older one while a connection moves, and from its WELCOME the newer', async () => {
    const made = harness()
    const old = await made.open({ heartbeat: 0 })
    void made.client.calls.get.result({})
    await made.clock.advance(10_000)
    old.receive([28, 'restart', 4000], [29, 'degraded'], [29, 'a word to come'])
    await settled()
    expect(made.client.connection.get()).toMatchObject({ state: 'open', degraded: true })
    made.socket.open()
    made.socket.receive(welcome({ heartbeat: 0 }))
    expect(made.client.connection.get()).toMatchObject({ state: 'open', degraded: false })
    old.receive([29, 'degraded'])
    expect(made.client.connection.get().degraded).toBe(false)
  })
})

describe('a new client', () => {
  it('does nothing until something wants a connection', async () => {
    const { client, sockets, clock } = harness()
    client.rooms.channel({ channelId: 'a' })
    expect(client.outbox.size).toBe(0)
    await clock.advance(60_000)
    expect(sockets).toEqual([])
    expect(clock.pending).toBe(0)
    expect(client.connection.get()).toEqual({
      state: 'idle',
      attempt: 0,
      degraded: false,
      retryIn: undefined,
      closed: undefined,
    })
  })

  it.each([
    ['a call', (c) => void c.client.calls.list({}).catch(() => {})],
    ['a volatile call', (c) => c.client.calls.typing({})],
    ['a join', (c) => void c.client.rooms.lobby({}).join()],
    ['a listener', (c) => void c.client.events.on('news', () => {})],
    ['a handler', (c) => void c.client.events.handle('order.offered', () => ({ accepted: true }))],
    ['connect()', (c) => c.client.connection.connect()],
  ] satisfies [string, (h: ReturnType<typeof harness>) => void][])('connects for %s', async (_, act) => {
    const made = harness()
    act(made)
    expect(made.client.connection.state).toBe('connecting')
    await settled()
    expect(made.sockets.length).toBe(1)
  })

  it('lets a listener on a room wait for the join', async () => {
    const { client, sockets } = harness()
    client.rooms.lobby({}).on('posted', () => {})
    await settled()
    expect(sockets).toEqual([])
  })
})

describe('opening', () => {
  it('offers the subprotocol, says HELLO first and is open with WELCOME', async () => {
    const made = harness()
    const { client } = made
    client.connection.connect()
    await settled()
    const { socket } = made
    expect(socket.url).toBe('wss://api.example.com/v1/chat')
    expect(socket.protocols).toEqual(['ackord.v1.json'])
    expect(socket.messages).toEqual([])
    socket.open()
    expect(socket.frames).toEqual([
      [1, expect.stringMatching(/^[\w-]{22,64}$/), '0123456789abcdef', '1.2.3', ['goaway'], null],
    ])
    expect(client.connection.state).toBe('connecting')
    socket.receive(welcome())
    expect(client.connection.state).toBe('open')
    expect(made.errors).toEqual([])
  })

  it('fetches a token for each connection and keeps its session', async () => {
    let tokens = 0
    const made = harness({ token: async () => `token ${++tokens}` })
    const first = await made.open()
    first.end(1006)
    await made.clock.advance(500)
    made.socket.open()
    const [[, session, , , , token] = []] = made.socket.frames
    expect(made.sockets.length).toBe(2)
    expect(token).toBe('token 2')
    expect(first.frames[0]?.[1]).toBe(session)
    expect(first.frames[0]?.[5]).toBe('token 1')
  })

  it('takes another session in another client', () => {
    // The real randomness: 25 characters of 36 that are the same twice would be a bug.
    const ids = [1, 2].map(() => {
      const sockets: FakeSocket[] = []
      const client = createClient(descriptor, 'ws://x', {
        WebSocket: collecting(sockets),
        clock: new FakeClock(),
      })
      client.connection.connect()
      return settled().then(() => {
        sockets[0]?.open()
        return sockets[0]?.frames[0]?.[1]
      })
    })
    return Promise.all(ids).then(([a, b]) => {
      expect(a).toMatch(/^[0-9a-z]{25}$/)
      expect(b).not.toBe(a)
    })
  })

  it('tries again when the token cannot be had, and reports why', async () => {
    let fail = true
    const made = harness({
      token: () => {
        if (fail) throw new Error('no session')
        return 'fresh'
      },
    })
    made.client.connection.connect()
    await settled()
    expect(made.errors).toEqual([new Error('no session')])
    expect(made.sockets).toEqual([])
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', attempt: 1, retryIn: 250 })
    fail = false
    await made.clock.advance(250)
    expect(made.sockets.length).toBe(1)
  })

  it('reports a token that is no string, and tries again', async () => {
    const made = harness({ token: () => ({ token: 'a' }) as unknown as string })
    made.client.connection.connect()
    await settled()
    expect(made.errors).toEqual([new TypeError('token() must return a string')])
    expect(made.sockets).toEqual([])
    expect(made.client.connection.state).toBe('waiting')
  })

  it('reports a fresh token that is no string, and sends none', async () => {
    const tokens: unknown[] = ['first', { token: 'a' }]
    const made = harness({ token: () => tokens.shift() as string })
    const socket = await made.open()
    socket.receive([25, 'wanted', 30_000])
    await settled()
    expect(made.errors).toEqual([new TypeError('token() must return a string')])
    expect(socket.of(9)).toEqual([])
  })

  it('gives a token, a socket and WELCOME together the time of an attempt', async () => {
    const made = harness({ token: () => new Promise(() => {}), connectTimeout: 4000 })
    made.client.connection.connect()
    await made.clock.advance(3999)
    expect(made.client.connection.state).toBe('connecting')
    await made.clock.advance(1)
    expect(made.client.connection.get()).toMatchObject({
      state: 'waiting',
      closed: { code: 4000, reason: 'no WELCOME in time' },
    })
    expect(made.sockets).toEqual([])
  })

  it('closes a socket that gave no WELCOME in time, and hears no more of it', async () => {
    const made = harness()
    made.client.connection.connect()
    await settled()
    const { socket } = made
    socket.open()
    await made.clock.advance(10_000)
    expect(socket.closedBy).toEqual({ code: 4000, reason: 'no WELCOME in time' })
    expect(made.client.connection.state).toBe('waiting')
    socket.receive(welcome())
    socket.end(4506)
    expect(made.client.connection.state).toBe('waiting')
  })

  it('drops a token that comes after its attempt', async () => {
    const tokens: ((token: string) => void)[] = []
    const made = harness({ token: () => new Promise((resolve) => tokens.push(resolve)) })
    made.client.connection.connect()
    await made.clock.advance(10_250)
    expect(tokens.length).toBe(2)
    tokens[0]?.('late')
    await settled()
    expect(made.sockets).toEqual([])
    tokens[1]?.('in time')
    await settled()
    made.socket.open()
    expect(made.socket.frames[0]?.[5]).toBe('in time')
  })

  it('sends a fresh token when the server wants one', async () => {
    const tokens = ['first', 'second']
    const made = harness({ token: () => tokens.shift() ?? '' })
    const socket = await made.open()
    socket.receive([25, 'accepted', 1000], [25, 'wanted', 30_000])
    await settled()
    expect(socket.of(9)).toEqual([[9, 'second']])
  })

  it('does not hand a fresh token to another connection than the one that wanted it', async () => {
    const given: ((token: string) => void)[] = []
    const made = harness({ token: () => new Promise((resolve) => given.push(resolve)) })
    made.client.connection.connect()
    given[0]?.('first')
    const first = await made.open()
    first.receive([25, 'wanted', 30_000])
    first.end(1006)
    made.client.connection.connect()
    given[2]?.('third')
    const next = await made.open()
    given[1]?.('second')
    await settled()
    expect(next.frames.map((frame) => frame[0])).toEqual([1])
  })

  it('ignores an error event: the close says it all', async () => {
    const made = harness()
    made.client.connection.connect()
    await settled()
    made.socket.fail()
    expect(made.client.connection.state).toBe('connecting')
    made.socket.end(1006)
    expect(made.client.connection.state).toBe('waiting')
  })
})

describe('the address', () => {
  afterEach(() => vi.unstubAllGlobals())

  it.each([
    ['ws://a.example/x', 'ws://a.example/x'],
    ['wss://a.example/x?y=1', 'wss://a.example/x?y=1'],
    ['http://a.example/x', 'ws://a.example/x'],
    ['https://a.example:8443/x', 'wss://a.example:8443/x'],
  ])('%s becomes %s', async (url, expected) => {
    expect(await urlFor(url)).toBe(expected)
  })

  it('may be a path in a browser', async () => {
    vi.stubGlobal('location', { href: 'https://app.example.com/rooms/7?x=1' })
    expect(await urlFor('/v1/chat')).toBe('wss://app.example.com/v1/chat')
    expect(await urlFor('chat')).toBe('wss://app.example.com/rooms/chat')
  })

  it('that is no address closes the connection and reports it', async () => {
    const errors: unknown[] = []
    const client = createClient(descriptor, '/v1/chat', {
      WebSocket: collecting([]),
      onError: (e) => errors.push(e),
    })
    client.connection.connect()
    await settled()
    expect(client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 1006 } })
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_INVALID_URL' })])
  })
})

describe('a runtime without WebSocket', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('is told what to pass, once and not again and again', async () => {
    vi.stubGlobal('WebSocket', undefined)
    const errors: unknown[] = []
    const clock = new FakeClock()
    const client = createClient(descriptor, 'ws://x', { clock, onError: (e) => errors.push(e) })
    client.connection.connect()
    await clock.advance(100_000)
    expect(client.connection.state).toBe('closed')
    expect(errors.map(String)).toEqual([expect.stringContaining("import { WebSocket } from 'ws'")])
    expect(client.connection.get().closed?.reason).toContain('WebSocket')
  })

  it('takes the global one where there is one', async () => {
    const sockets: FakeSocket[] = []
    vi.stubGlobal('WebSocket', collecting(sockets))
    createClient(descriptor, 'ws://x').connection.connect()
    await settled()
    expect(sockets.length).toBe(1)
  })
})

describe('a lost connection', () => {
  it.each(Object.values(CLOSE))('after $code is treated as the table says', async ({ code, retry }) => {
    expect(retryOf(code)).toBe(retry)
    expect(reconnects(code)).toBe(retry !== 'never')
    const made = harness()
    const socket = await made.open()
    await made.clock.advance(10_000)
    socket.end(code, 'why')
    await settled()
    const { state, retryIn } = made.client.connection.get()
    const expected = {
      now: ['connecting', undefined],
      backoff: ['waiting', 250],
      slow: ['waiting', 2500],
      never: ['closed', undefined],
    }
    expect([state, retryIn]).toEqual(expected[retry])
    expect(made.client.connection.get().closed).toEqual({ code, reason: 'why' })
  })

  it('with a code that no table knows counts as lost below 4500, and as final from there', () => {
    expect([1014, 3000, 4499].map(retryOf)).toEqual(['backoff', 'backoff', 'backoff'])
    expect([4500, 4600, 4999].map(retryOf)).toEqual(['never', 'never', 'never'])
  })

  it('comes back at once only where it had been stable', async () => {
    const made = harness()
    const socket = await made.open()
    await made.clock.advance(9999)
    socket.end(4002, 'token expired')
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', attempt: 1 })
  })

  it('doubles its window until a connection was stable', async () => {
    const made = harness()
    await made.open()
    const waits: (number | undefined)[] = []
    for (let i = 0; i < 9; i++) {
      made.socket.end(1006)
      waits.push(made.client.connection.get().retryIn)
      await made.clock.advance(made.client.connection.get().retryIn ?? 0)
      if (i === 7) {
        made.socket.open()
        made.socket.receive(welcome())
        await made.clock.advance(10_000)
      }
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 250])
  })

  it('says nothing to the one that follows it', async () => {
    const made = harness()
    const old = await made.open({ heartbeat: 1000 })
    await made.clock.advance(2000)
    old.readyState = 1
    made.client.connection.connect()
    const next = await made.open()
    old.receive([21, 'news', 'x'], welcome({ bytes: 1 }))
    old.end(4506)
    expect(made.client.connection.state).toBe('open')
    expect(made.client.connection.get().closed?.code).toBe(4000)
    expect(next.closedBy).toBe(undefined)
  })

  it('is tried again at once by connect()', async () => {
    const made = harness()
    const socket = await made.open()
    socket.end(1006)
    made.client.connection.connect()
    expect(made.client.connection.state).toBe('connecting')
    await made.clock.advance(9000)
    expect(made.sockets.length).toBe(2)
  })

  it('starts afresh after a final code by connect(), with another token', async () => {
    const tokens = ['old', 'new']
    const made = harness({ token: () => tokens.shift() ?? '' })
    const socket = await made.open()
    socket.end(4506, 'token missing or refused')
    await made.clock.advance(100_000)
    expect(made.client.connection.state).toBe('closed')
    expect(made.sockets.length).toBe(1)
    made.client.connection.connect()
    await settled()
    made.socket.open()
    expect(made.socket.frames[0]?.[5]).toBe('new')
  })
})

describe('a hint of the browser', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('that it is online ends the waiting, and nothing else', async () => {
    const heard = new Set<() => void>()
    vi.stubGlobal(
      'addEventListener',
      (type: string, listener: () => void) => type === 'online' && heard.add(listener),
    )
    vi.stubGlobal('removeEventListener', (_: string, listener: () => void) => heard.delete(listener))
    const made = harness()
    expect(heard.size).toBe(0)
    const socket = await made.open()
    expect(heard.size).toBe(1)
    for (const listener of heard) listener()
    expect(made.client.connection.state).toBe('open')
    socket.end(1006)
    for (const listener of heard) listener()
    expect(made.client.connection.state).toBe('connecting')
    await settled()
    made.socket.end(1013, 'too busy')
    for (const listener of heard) listener()
    expect(made.client.connection.state).toBe('waiting')
    made.client.close()
    expect(heard.size).toBe(0)
  })
})

describe('close()', () => {
  it('closes with 1000, waits a moment for the other side, and is closed for good', async () => {
    const made = harness()
    const socket = await made.open()
    const states: string[] = []
    made.client.connection.subscribe(() => states.push(made.client.connection.state))
    made.client.close()
    expect(made.client.connection.state).toBe('closing')
    expect(socket.closedBy).toEqual({ code: 1000, reason: 'closed by the application' })
    await settled()
    socket.end(1000)
    await settled()
    expect(states).toEqual(['closing', 'closed'])
    made.client.connection.connect()
    made.client.close()
    await made.clock.advance(100_000)
    expect(made.sockets.length).toBe(1)
    expect(made.clock.pending).toBe(0)
  })

  it('does not wait for ever', async () => {
    const made = harness()
    await made.open()
    made.client.close()
    await made.clock.advance(2000)
    expect(made.client.connection.state).toBe('closed')
    expect(made.clock.pending).toBe(0)
  })

  it('ends an attempt whose token is on its way', async () => {
    let give = (_: string): void => {}
    const made = harness({ token: () => new Promise((resolve) => (give = resolve)) })
    made.client.connection.connect()
    await settled()
    made.client.close()
    expect(made.client.connection.state).toBe('closed')
    give('late')
    await settled()
    expect(made.sockets).toEqual([])
    expect(made.clock.pending).toBe(0)
  })

  it.each(['idle', 'waiting', 'closed'] as const)('is final from %s', async (state) => {
    const made = harness()
    if (state !== 'idle') (await made.open()).end(state === 'waiting' ? 1006 : 4509)
    expect(made.client.connection.state).toBe(state)
    made.client.close()
    expect(made.client.connection.state).toBe('closed')
    made.client.connection.connect()
    expect(made.client.connection.state).toBe('closed')
    expect(made.clock.pending).toBe(0)
  })

  it('may be called by a listener', async () => {
    const made = harness()
    const socket = await made.open()
    made.client.events.on('news', () => made.client.close())
    const after: string[] = []
    made.client.events.on('news', () => after.push(made.client.connection.state))
    const list = watch(made.client.calls.list({}))
    socket.receive([21, 'news', 'x'], [18, 1, 'too late'])
    await settled()
    expect(after).toEqual(['closing'])
    expect(list).toMatchObject({ state: 'rejected', error: { code: 'CONNECTION_LOST' } })
  })

  it('lets nothing in any more', async () => {
    const made = harness()
    const socket = await made.open()
    const heard: string[] = []
    made.client.events.on('news', (news) => heard.push(news))
    made.client.close()
    socket.receive([21, 'news', 'late'])
    socket.receiveData('garbage')
    expect(heard).toEqual([])
    expect(socket.closedBy?.code).toBe(1000)
  })

  it('may be called by token()', async () => {
    const made = harness({
      token: () => {
        made.client.close()
        return 'token'
      },
    })
    made.client.connection.connect()
    await made.clock.advance(5000)
    expect(made.client.connection.state).toBe('closed')
    expect(made.sockets).toEqual([])
    expect(made.clock.pending).toBe(0)
  })

  it('may be called by a subscriber of the connection', async () => {
    const made = harness()
    made.client.connection.subscribe(() => {
      if (made.client.connection.state === 'open') made.client.close()
    })
    await made.open()
    await made.clock.advance(2000)
    expect(made.client.connection.state).toBe('closed')
  })
})

describe('what comes in', () => {
  it.each([
    ['no JSON', '{', 4500],
    ['no array', '{"a":1}', 4500],
    ['a frame that breaks its declaration', '[18,"x",1]', 4500],
    ['an unknown frame', '[63]', 4501],
    ['a prototype', '[18,1,{"__proto__":1}]', 4504],
    ['binary', new ArrayBuffer(2), 4500],
  ])('as %s closes with its code and comes back slowly', async (_, text, code) => {
    const made = harness()
    const socket = await made.open()
    await made.clock.advance(10_000)
    socket.receiveData(text)
    expect(socket.closedBy?.code).toBe(code)
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', retryIn: 2500, closed: { code } })
  })

  it('of a kind that may be ignored is ignored, and so is an answer nobody waits for', async () => {
    const made = harness()
    const socket = await made.open()
    socket.receiveData('[64,"future"]')
    socket.receive(
      [18, 99, null],
      [19, 98, 'TIMEOUT', null],
      [20, 1, 1],
      [24, 'k', [], [], []],
      [29, 'degraded'],
    )
    socket.receive(welcome({ inFlight: 1 }))
    void made.client.calls.list.result({})
    void made.client.calls.list.result({})
    expect(socket.of(2).length).toBe(2)
    expect(made.client.connection.state).toBe('open')
    expect(made.errors).toEqual([])
  })
})

describe('the snapshot', () => {
  it('is the same object until something changes', async () => {
    const made = harness()
    const { connection } = made.client
    expect(connection.get()).toBe(connection.get())
    const before = connection.get()
    await made.open()
    expect(connection.get()).not.toBe(before)
    expect(connection.get()).toBe(connection.get())
  })

  it('is told once for the changes of one turn, and not to who has left', async () => {
    const made = harness()
    let told = 0
    const stop = made.client.connection.subscribe(() => told++)
    made.client.connection.connect()
    made.client.close()
    await settled()
    expect(told).toBe(1)
    stop()
    stop()
    await made.clock.advance(5000)
    expect(told).toBe(1)
  })
})

function collecting(sockets: FakeSocket[]): new (url: string, protocols: string[]) => FakeSocket {
  return class extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
}

async function urlFor(url: string): Promise<string | undefined> {
  const sockets: FakeSocket[] = []
  createClient(descriptor, url, {
    WebSocket: collecting(sockets),
    clock: new FakeClock(),
  }).connection.connect()
  await settled()
  return sockets[0]?.url
}
