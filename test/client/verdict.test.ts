import { afterEach, describe, expect, it, vi } from 'vitest'
import { createClient, type FetchLike } from '../../client/index.js'
import { descriptor, FakeClock, FakeSocket, harness, settled } from './support/harness.js'

type Asked = Parameters<FetchLike>
interface Verdict {
  readonly message: string
  readonly [member: string]: unknown
}

/** A `fetch` that answers so, and what it was asked. */
function answering(status: number, body: unknown): FetchLike & { readonly asked: Asked[] } {
  const asked: Asked[] = []
  const fetch: FetchLike = async (...args) => {
    asked.push(args)
    return new Response(JSON.stringify(body), { status })
  }
  return Object.assign(fetch, { asked })
}

const verdict = (statusCode: number, code: string, more: object = {}): [number, Verdict] => [
  statusCode,
  { statusCode, code, message: `${code} it says`, ...more },
]

/** A client whose socket was turned away without opening. */
async function turnedAway(fetch: FetchLike | undefined, options: { readonly token?: () => string } = {}) {
  const made = harness({ ...(fetch && { fetch }), ...options })
  made.client.connection.connect()
  await settled()
  made.socket.end(1006)
  await settled()
  return made
}

describe('an attempt whose socket never opened', () => {
  it.each([
    [...verdict(401, 'UNAUTHORIZED'), 4506, 'closed', undefined],
    [...verdict(403, 'ORIGIN_FORBIDDEN'), 4507, 'closed', undefined],
    [...verdict(403, 'FORBIDDEN'), 4507, 'closed', undefined],
    [404, { statusCode: 404, error: 'Not Found', message: 'Route not found' }, 1006, 'waiting', 2500],
    [...verdict(426, 'WEBSOCKET_VERSION'), 4511, 'closed', undefined],
    [...verdict(426, 'SUBPROTOCOL', { protocols: ['ackord.v2.json'] }), 4511, 'closed', undefined],
    [...verdict(426, 'UPGRADE_REQUIRED', { protocols: ['ackord.v2.json'] }), 4511, 'closed', undefined],
    [...verdict(426, 'UPGRADE_REQUIRED', { protocols: ['x', 'ackord.v1.json'] }), 1006, 'waiting', 250],
    [...verdict(429, 'TOO_MANY_CONNECTIONS', { retryAfter: 7 }), 1013, 'waiting', 10_500],
    [...verdict(429, 'TOO_MANY_REQUESTS'), 1013, 'waiting', 2500],
    [...verdict(503, 'OVERLOADED', { retryAfter: 2 }), 1013, 'waiting', 3000],
  ])('learns %i %o', async (status, body, code, state, retryIn) => {
    const fetch = answering(status, body)
    const made = await turnedAway(fetch)
    expect(made.client.connection.get()).toMatchObject({
      ...{ state, retryIn, attempt: 1, closed: { code, reason: body.message } },
    })
    expect(fetch.asked.length).toBe(1)
    expect(made.errors).toEqual([])
    if (retryIn === undefined) return
    await made.clock.advance(retryIn - 1)
    expect(made.sockets.length).toBe(1)
    await made.clock.advance(1)
    expect(made.sockets.length).toBe(2)
  })

  it('asks the same address, with cookies where they decide', async () => {
    const cookies = answering(...verdict(401, 'UNAUTHORIZED'))
    await turnedAway(cookies)
    expect(cookies.asked).toEqual([
      [
        'https://api.example.com/v1/chat',
        { credentials: 'include', cache: 'no-store', signal: expect.any(AbortSignal) },
      ],
    ])
    const tokens = answering(...verdict(401, 'UNAUTHORIZED'))
    await turnedAway(tokens, { token: () => 'a' })
    expect(tokens.asked[0]?.[1].credentials).toBe('same-origin')
  })

  it.each([
    ['a status of no table', async () => Response.json({ statusCode: 418, message: '' }, { status: 418 })],
    ['a page', async () => new Response('<html>', { status: 503 })],
    ['JSON of somebody else', async () => Response.json({ error: 'login' }, { status: 401 })],
    ['JSON that is no object', async () => Response.json(null, { status: 401 })],
    ['a login page that redirects ended at', async () => Response.json({})],
    ['a verdict without a text', async () => Response.json({ statusCode: 401 }, { status: 401 })],
    ['without a body', async () => ({ status: 401, body: null })],
    ['nothing: offline, or hidden by the browser', () => Promise.reject(new TypeError('Failed to fetch'))],
    [
      'a fetch that throws',
      () => {
        throw new TypeError('Illegal invocation')
      },
    ],
  ] satisfies [string, FetchLike][])(
    'counts as a lost connection where the answer is %s',
    async (_, fetch) => {
      const made = await turnedAway(fetch)
      expect(made.client.connection.get()).toMatchObject({
        ...{ state: 'waiting', retryIn: 250, closed: { code: 1006, reason: '' } },
      })
      expect(made.errors).toEqual([])
    },
  )

  it('reads no more of an answer than a verdict may have', async () => {
    let read = 0
    const part = new Uint8Array(1000).fill(0x20)
    const next = async () => {
      read++
      return { done: false, value: part }
    }
    const made = await turnedAway(async () => ({
      status: 503,
      body: { getReader: () => ({ read: next }) },
    }))
    await settled()
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', closed: { code: 1006 } })
    expect(read).toBe(17)
  })

  it('shows no more than a line of what it was told', async () => {
    const made = await turnedAway(answering(401, { statusCode: 401, message: 'x'.repeat(5000) }))
    expect(made.client.connection.get().closed?.reason).toBe('x'.repeat(200))
  })

  it('asks once for each attempt', async () => {
    const fetch = answering(...verdict(503, 'CLOSING', { retryAfter: 1 }))
    const made = await turnedAway(fetch)
    for (let i = 2; i < 6; i++) {
      await made.clock.advance(made.client.connection.get().retryIn ?? 0)
      made.socket.end(1006)
      await settled()
      expect(fetch.asked.length).toBe(i)
    }
  })

  it('does not ask about one that opened', async () => {
    const fetch = answering(...verdict(401, 'UNAUTHORIZED'))
    const made = harness({ fetch })
    made.client.connection.connect()
    await settled()
    made.socket.open()
    made.socket.end(1006)
    await settled()
    expect(fetch.asked).toEqual([])
    expect(made.client.connection.state).toBe('waiting')
  })

  it('does not wait for the answer longer than for the attempt', async () => {
    let signal: AbortSignal | undefined
    const made = await turnedAway((_, init) => {
      signal = init.signal
      return new Promise((_, reject) =>
        init.signal.addEventListener('abort', () => reject(init.signal.reason)),
      )
    })
    expect(made.client.connection.state).toBe('connecting')
    await made.clock.advance(10_000)
    expect(signal?.aborted).toBe(true)
    expect(made.client.connection.get()).toMatchObject({ state: 'waiting', attempt: 1 })
    expect(made.errors).toEqual([])
  })

  it('hears no answer after close()', async () => {
    let signal: AbortSignal | undefined
    let answer = (_: Response): void => {}
    const made = await turnedAway((_, init) => {
      signal = init.signal
      return new Promise((resolve) => (answer = resolve))
    })
    made.client.close()
    expect(signal?.aborted).toBe(true)
    expect(made.client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 1000 } })
    answer(Response.json(verdict(503, 'FULL', { retryAfter: 1 })[1], { status: 503 }))
    await made.clock.advance(60_000)
    expect(made.client.connection.get()).toMatchObject({ state: 'closed', closed: { code: 1000 } })
    expect(made.sockets.length).toBe(1)
  })

  it('says by the codes of calls why it is closed', async () => {
    const made = await turnedAway(answering(...verdict(401, 'UNAUTHORIZED')))
    await expect(made.client.calls.list({})).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('comes at no time that another was told, too', async () => {
    const waits = new Set<number | undefined>()
    for (let i = 0; i < 10; i++) {
      const made = harness({ fetch: answering(...verdict(503, 'OVERLOADED', { retryAfter: 2 })) })
      made.dice.roll = i / 10
      made.client.connection.connect()
      await settled()
      made.socket.end(1006)
      await settled()
      waits.add(made.client.connection.get().retryIn)
    }
    expect(waits.size).toBe(10)
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(2000)
  })
})

describe('what asks', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('is the global fetch, unless the socket is not the global one', async () => {
    const fetch = answering(...verdict(403, 'FORBIDDEN'))
    const sockets: FakeSocket[] = []
    class Socket extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        sockets.push(this)
      }
    }
    vi.stubGlobal('fetch', fetch)
    vi.stubGlobal('WebSocket', Socket)
    const clock = new FakeClock()
    const clients = [{}, { WebSocket: Socket }, { WebSocket: Socket, fetch }].map((options) =>
      createClient(descriptor, 'ws://api.example.com/chat', { clock, ...options }),
    )
    for (const { connection } of clients) connection.connect()
    await settled()
    for (const socket of sockets) socket.end(1006)
    await settled()
    expect(clients.map(({ connection }) => connection.state)).toEqual(['closed', 'waiting', 'closed'])
    expect(fetch.asked.map(([url]) => url)).toEqual([
      'http://api.example.com/chat',
      'http://api.example.com/chat',
    ])
  })
})
