import type { AddressInfo, Socket } from 'node:net'
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import { type AckordOptions, ackord, namespace, refuseCall } from '../../plugins/index.js'
import { connect, type RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'

const contract = defineContract({
  name: 'streams',
  version: '1.0.0',
  calls: {
    pull: call({
      input: Type.Object({ n: Type.Integer() }),
      item: Type.Object({ n: Type.Integer(), pad: Type.Optional(Type.String()) }),
      ack: Type.Object({ count: Type.Integer() }),
      errors: { STOPPED: Type.Object({ at: Type.Integer() }) },
    }),
    plain: call({ input: Type.Object({}), ack: Type.Null() }),
  },
})

interface Item {
  n: number
  pad?: string
}
interface Tools {
  readonly signal: AbortSignal
  readonly fail: (code: 'STOPPED', data: { at: number }) => never
}
type Source = (n: number, tools: Tools) => AsyncGenerator<Item, { count: number }>

interface Options extends AckordOptions {
  readonly after?: (app: FastifyInstance) => void
}

async function start(source: Source, { after, ...options }: Options = {}) {
  const lines: Array<{ level: number; err?: { message: string }; id?: string }> = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  const app = Fastify({ logger: { level: 'error', stream }, forceCloseConnections: true })
  let release = (): void => undefined
  await app.register(ackord, { grace: 100, ...options })
  await app.register(
    live.plugin({
      calls: {
        pull: ({ n }, { signal, fail }) => source(n, { signal, fail }),
        plain: () => new Promise<null>((resolve) => (release = () => resolve(null))),
      },
    }),
  )
  after?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const client = await connect(`ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/live`)
  client.send([1, 's', contract.hash, '1', []])
  await client.next(17)
  const [connection] = app.ackordGateway.gateway.sockets
  if (connection === undefined) throw new Error('nobody is connected')
  return { app, client, connection, lines, release: () => release() }
}

/** Yields 1, 2, … up to `n`, and notes what becomes of it. */
function counter() {
  const seen = { made: 0, finals: 0, signals: [] as AbortSignal[] }
  const source: Source = async function* (n, { signal }) {
    seen.signals.push(signal)
    try {
      for (let i = 1; i <= n; i++) {
        seen.made = i
        yield { n: i, undeclared: 'stays here' } as Item
      }
      return { count: n }
    } finally {
      seen.finals++
    }
  }
  return { seen, source }
}

/** What came for a seq, items as their `n`. */
const told = (client: RawClient, seq = 1): unknown[] =>
  client.frames
    .filter(([type, of]) => of === seq && [18, 19, 20].includes(type as number))
    .map((frame) => (frame[0] === 20 ? (frame[2] as Item).n : [frame[0], frame[2]]))

describe('a stream', () => {
  it('sends what there is credit for, undeclared fields left out, then the end value', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 5 }])
    await client.ping()
    expect(client.frames.length).toBe(1)
    expect(seen.made).toBe(0)
    client.send([4, 1, 2])
    expect(await client.next(20)).toEqual([20, 1, { n: 1 }])
    await client.next(20)
    await client.ping()
    expect(seen.made).toBe(2)
    client.send([4, 1, 100])
    expect(await client.next(18)).toEqual([18, 1, { count: 5 }])
    expect(told(client)).toEqual([1, 2, 3, 4, 5, [18, { count: 5 }]])
    expect(connection.streams).toBe(0)
    expect(connection.inFlight).toBe(0)
  })

  it('takes CREDIT in the first flight, right behind its CALL', async () => {
    const { source } = counter()
    const { client, app } = await start(source)
    client.close()
    const second = await connect(`ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/live`)
    for (const frame of [
      [1, 't', contract.hash, '1', []],
      [2, 1, 'pull', { n: 2 }],
      [4, 1, 9],
    ])
      second.send(frame)
    await second.next(18)
    expect(told(second)).toEqual([1, 2, [18, { count: 2 }]])
  })

  it('may have nothing but its end', async () => {
    const { client } = await start(counter().source)
    client.send([2, 1, 'pull', { n: 0 }])
    client.send([4, 1, 1])
    expect(await client.next(18)).toEqual([18, 1, { count: 0 }])
  })

  it('is refused like any call: by its input, and by a hook before anything of it runs', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source, {
      after: (app) =>
        app.ackordGateway.addHook('onCall', async ({ input }, next) => {
          if ((input as { n: number }).n === 13) throw refuseCall('RATE_LIMITED', 50)
          return next()
        }),
    })
    client.send([2, 1, 'pull', { n: 'x' }])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'INVALID_INPUT'])
    client.send([2, 2, 'pull', { n: 13 }])
    expect(await client.next(19)).toEqual([19, 2, 'RATE_LIMITED', null, 50])
    client.send([2, 3, 'pull', { n: 1 }])
    client.send([4, 3, 5])
    await client.next(18)
    expect(seen.signals.length).toBe(1)
    expect(connection.streams).toBe(0)
  })

  it('fails with a declared error behind its items', async () => {
    const { client } = await start(async function* (_n, { fail }) {
      yield { n: 1 }
      return fail('STOPPED', { at: 1 })
    })
    client.send([2, 1, 'pull', { n: 1 }])
    client.send([4, 1, 5])
    expect(await client.next(19)).toEqual([19, 1, 'STOPPED', { at: 1 }])
    expect(told(client)[0]).toBe(1)
  })

  it.each<[string, Source]>([
    [
      'throws',
      // biome-ignore lint/correctness/useYield: it throws first.
      async function* () {
        throw new Error('a secret')
      },
    ],
    [
      'yields what breaks its schema',
      async function* () {
        yield { n: 'x' } as unknown as Item
        return { count: 1 }
      },
    ],
    [
      'ends with what breaks its schema',
      // biome-ignore lint/correctness/useYield: it has only an end.
      async function* () {
        return { count: 'x' } as unknown as { count: number }
      },
    ],
    [
      'yields what would not fit once the connection has drained',
      async function* () {
        yield { n: 1, pad: 'x'.repeat(600_000) }
        return { count: 1 }
      },
    ],
    ['is no async generator', (() => [{ n: 1 }]) as unknown as Source],
  ])('fails with INTERNAL and an id where its handler %s', async (_title, source) => {
    const { client, lines, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 1 }])
    client.send([4, 1, 5])
    const [, seq, code, data] = await client.next(19)
    expect([seq, code]).toEqual([1, 'INTERNAL'])
    expect(JSON.stringify(client.frames)).not.toContain('secret')
    expect(lines.map(({ id }) => id)).toEqual([(data as { id: string }).id])
    await until(() => connection.streams === 0)
  })

  it('runs its finally blocks where an item of it could not be sent', async () => {
    const finals = vi.fn()
    const { client } = await start(async function* () {
      try {
        yield { n: 'x' } as unknown as Item
        return { count: 1 }
      } finally {
        finals()
      }
    })
    client.send([2, 1, 'pull', { n: 1 }])
    client.send([4, 1, 5])
    await client.next(19)
    await until(() => finals.mock.calls.length === 1)
  })
})

describe('CANCEL', () => {
  it('ends the generator, aborts its signal and answers CANCELLED; a second one is nothing', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 1000 }])
    client.send([4, 1, 3])
    await client.nextWhere(([type, , item]) => type === 20 && (item as Item).n === 3, 'the third item')
    client.send([3, 1])
    client.send([3, 1])
    client.send([4, 1, 50])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'CANCELLED'])
    await client.ping()
    expect(seen).toMatchObject({ made: 3, finals: 1 })
    expect(seen.signals[0]?.aborted).toBe(true)
    expect(told(client)).toEqual([1, 2, 3, [19, 'CANCELLED']])
    expect(connection.streams).toBe(0)
  })

  it('comes before the generator was asked for anything', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 1000 }])
    client.send([3, 1])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'CANCELLED'])
    expect(seen.signals.length).toBe(0)
    await until(() => connection.streams === 0)
  })

  it('comes while a hook has not let it start', async () => {
    const { seen, source } = counter()
    const waiting: Array<() => void> = []
    const { client, connection } = await start(source, {
      after: (app) =>
        app.ackordGateway.addHook('onCall', async (_call, next) => {
          const value = await next()
          await new Promise<void>((resolve) => waiting.push(resolve))
          return value
        }),
    })
    client.send([2, 1, 'pull', { n: 1000 }])
    client.send([4, 1, 3])
    await until(() => waiting.length === 1)
    client.send([3, 1])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'CANCELLED'])
    expect(connection.streams).toBe(1)
    waiting[0]?.()
    await until(() => connection.streams === 0)
    expect(seen.made).toBe(0)
  })

  const cleanUp = async (n: number): Promise<void> => {
    if (n === 2) throw new Error('while cleaning up')
  }

  it('logs what a finally block throws then, and nothing for an abort', async () => {
    const { client, lines, connection } = await start(async function* (n, { signal }) {
      try {
        yield { n: 1 }
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        )
        return { count: 1 }
      } finally {
        await cleanUp(n)
      }
    })
    for (const seq of [1, 2]) {
      client.send([2, seq, 'pull', { n: seq }])
      client.send([4, seq, 5])
      await client.next(20)
      client.send([3, seq])
      await client.next(19)
    }
    await until(() => connection.streams === 0)
    expect(lines.map(({ err }) => err?.message)).toEqual(['while cleaning up'])
  })
})

describe('a connection that ends', () => {
  it('ends the generator and aborts its signal', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 1000 }])
    client.send([4, 1, 3])
    await client.nextWhere(([type, , item]) => type === 20 && (item as Item).n === 3, 'the third item')
    client.abort({ reset: true })
    await until(() => connection.streams === 0)
    expect(seen).toMatchObject({ made: 3, finals: 1 })
    expect(seen.signals[0]?.aborted).toBe(true)
  })
})

describe('a drain', () => {
  it('lets a stream come to its end, and closes behind it', async () => {
    const { source } = counter()
    const { app, client } = await start(source, { grace: 4000 })
    client.send([2, 1, 'pull', { n: 40 }])
    client.send([4, 1, 20])
    await client.nextWhere(([type, , item]) => type === 20 && (item as Item).n === 20, 'the 20th item')
    const closed = app.close()
    await client.ping()
    client.send([4, 1, 30])
    expect(await client.next(18)).toEqual([18, 1, { count: 40 }])
    expect((await client.closed()).code).toBe(1012)
    await closed
  })
})

describe('time', () => {
  const stuck: Source = async function* () {
    yield { n: 1 }
    await new Promise(() => undefined)
    return { count: 1 }
  }

  it('bounds the wait for each item and not the whole; without credit it stands still', async () => {
    const clock = createClock()
    const waiting: Array<() => void> = []
    const { client } = await start(
      async function* (n) {
        for (let i = 1; i <= n; i++) {
          await new Promise<void>((resolve) => waiting.push(resolve))
          yield { n: i }
        }
        return { count: n }
      },
      { clock, callTimeout: 1000, heartbeat: 300_000 },
    )
    client.send([2, 1, 'pull', { n: 4 }])
    for (let i = 1; i <= 4; i++) {
      client.send([4, 1, 1])
      await until(() => waiting.length === i)
      clock.advance(900)
      waiting[i - 1]?.()
      await client.next(20)
      clock.advance(5000)
    }
    client.send([4, 1, 1])
    await client.next(18)
    expect(told(client)).toEqual([1, 2, 3, 4, [18, { count: 4 }]])
  })

  it('is the smaller of the client’s deadline and callTimeout; a generator that hangs then counts no longer', async () => {
    const clock = createClock()
    const { client, connection } = await start(stuck, { clock, callTimeout: 1000, heartbeat: 300_000 })
    client.send([2, 1, 'pull', { n: 1 }, 200])
    client.send([2, 2, 'pull', { n: 1 }])
    client.send([4, 1, 2])
    client.send([4, 2, 2])
    await client.next(20)
    await client.next(20)
    clock.advance(300)
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'TIMEOUT'])
    await client.ping()
    expect(told(client, 2)).toEqual([1])
    clock.advance(800)
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 2, 'TIMEOUT'])
    expect(connection.streams).toBe(2)
    clock.advance(1100)
    expect(connection.streams).toBe(0)
  })

  it('ends the counting of a finally block that hangs', async () => {
    const clock = createClock()
    const waiting: Array<() => void> = []
    const { client, connection } = await start(
      async function* () {
        try {
          await new Promise<void>((resolve) => waiting.push(resolve))
          yield { n: 1 }
          return { count: 1 }
        } finally {
          await new Promise(() => undefined)
        }
      },
      { clock, callTimeout: 1000, heartbeat: 300_000 },
    )
    client.send([2, 1, 'pull', { n: 1 }])
    client.send([4, 1, 2])
    await until(() => waiting.length === 1)
    client.send([3, 1])
    await client.next(19)
    waiting[0]?.()
    await client.ping()
    expect(told(client)).toEqual([[19, 'CANCELLED']])
    expect(connection.streams).toBe(1)
    clock.advance(1100)
    expect(connection.streams).toBe(0)
  })
})

describe('bounds', () => {
  it('at most maxStreams run; 10,000 at once are OVERLOADED, and the connection goes on', async () => {
    const { source } = counter()
    const { client, connection } = await start(source, { maxStreams: 3 })
    for (let seq = 1; seq <= 10_000; seq++) client.send([2, seq, 'pull', { n: 1 }])
    await until(() => client.received.length > 9997)
    expect(connection.streams).toBe(3)
    expect(client.frames.filter(([type, , code]) => type === 19 && code === 'OVERLOADED').length).toBe(9997)
    client.send([4, 2, 9])
    expect(await client.next(18)).toEqual([18, 2, { count: 1 }])
    client.send([2, 2, 'pull', { n: 1 }])
    client.send([4, 2, 9])
    expect(await client.next(18)).toEqual([18, 2, { count: 1 }])
  })

  it('CALL and CANCEL in turn find the bound while a generator does not end', async () => {
    const { client } = await start(
      async function* () {
        await new Promise(() => undefined)
        return { count: 1 }
      },
      { maxStreams: 2 },
    )
    for (let seq = 1; seq <= 3; seq++) {
      client.send([2, seq, 'pull', { n: 1 }])
      client.send([4, seq, 1])
      client.send([3, seq])
    }
    const codes = [await client.next(19), await client.next(19), await client.next(19)].map(
      ([, , code]) => code,
    )
    expect(codes).toEqual(['CANCELLED', 'CANCELLED', 'OVERLOADED'])
  })

  it('streams do not pause the socket, nor count towards inFlight', async () => {
    const { source } = counter()
    const { client, connection } = await start(source, { inFlight: 1, maxStreams: 8 })
    for (let seq = 1; seq <= 8; seq++) client.send([2, seq, 'pull', { n: 1 }])
    await client.ping()
    expect(connection.paused).toBe(false)
    expect(connection.inFlight).toBe(0)
    for (let seq = 1; seq <= 8; seq++) client.send([4, seq, 2])
    for (let seq = 1; seq <= 8; seq++) await client.next(18)
  })

  it('credit is cut to 65,536, however much is given', async () => {
    const { seen, source } = counter()
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { client } = await start(async function* (n, tools) {
      await gate
      return yield* source(n, tools)
    })
    client.send([2, 1, 'pull', { n: 200_000 }])
    for (let i = 0; i < 20; i++) client.send([4, 1, 1e9])
    await client.ping()
    open()
    await until(() => seen.made === 65_536)
    await client.ping()
    expect(told(client).length).toBe(65_536)
  })

  it('a reader that stops costs what the connection may hold back, and not its connection', async () => {
    const { seen, source } = counter()
    const big: Source = async function* (n, tools) {
      for await (const item of source(n, tools)) yield { ...item, pad: 'x'.repeat(10_000) }
      return { count: n }
    }
    const { client, connection } = await start(big)
    client.pause()
    for (let seq = 1; seq <= 4; seq++) {
      client.send([2, seq, 'pull', { n: 700 }])
      client.send([4, seq, 65_000])
    }
    // What the operating system takes is not ours to bound: it stands still when that is full.
    let made = -1
    await vi.waitUntil(
      () => {
        const still = made === seen.made && made > 0
        made = seen.made
        return still
      },
      { interval: 100, timeout: 60_000 },
    )
    expect(connection.writer.buffered).toBeGreaterThan(0)
    expect(connection.writer.buffered).toBeLessThanOrEqual(200_000)
    expect(connection.phase).toBe('open')
    client.resume()
    for (let i = 0; i < 4; i++) await client.next(18)
    for (let seq = 1; seq <= 4; seq++) expect(told(client, seq).length).toBe(701)
  })
})

describe('a stream of a reader that stopped, cancelled', () => {
  it('is not kept until the reader reads again', async () => {
    const { seen, source } = counter()
    const sockets: Socket[] = []
    const { client, connection } = await start(source, {
      after: (app) => void app.server.on('connection', (socket: Socket) => sockets.push(socket)),
    })
    // As of a peer that does not read.
    sockets[0]?.cork()
    connection.writer.sendFrames(Buffer.alloc(200_000))
    await until(() => sockets[0]?.writableNeedDrain === true)
    for (let seq = 1; seq <= 100; seq++) {
      client.send([2, seq, 'pull', { n: 5 }])
      client.send([4, seq, 1])
      await until(() => connection.writer.waiting === 1)
      client.send([3, seq])
      await until(() => connection.writer.waiting === 0 && connection.streams === 0)
    }
    expect([seen.made, connection.phase]).toEqual([0, 'open'])
    client.abort()
  })
})

describe('bad input', () => {
  it.each([0, -1, 2 ** 53, 1.5, '1', null])('credit of %j closes 4500', async (items) => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 10 }])
    client.send([4, 1, items])
    expect((await client.closed()).code).toBe(4500)
    await until(() => connection.streams === 0)
    expect(seen.made).toBe(0)
  })

  it('credit for what is no stream, or no longer one, is nothing', async () => {
    const { source } = counter()
    const { client, release } = await start(source)
    client.send([4, 7, 1])
    client.send([2, 1, 'plain', {}])
    client.send([4, 1, 1])
    client.send([2, 2, 'pull', { n: 0 }])
    client.send([4, 2, 1])
    await client.next(18)
    client.send([4, 2, 1])
    await client.ping()
    release()
    expect(await client.next(18)).toEqual([18, 1, null])
  })

  it('a second CALL under the seq of a running stream closes 4503', async () => {
    const { seen, source } = counter()
    const { client, connection } = await start(source)
    client.send([2, 1, 'pull', { n: 10 }])
    client.send([4, 1, 1])
    await client.next(20)
    client.send([2, 1, 'pull', { n: 10 }])
    expect((await client.closed()).code).toBe(4503)
    await until(() => connection.streams === 0)
    expect(seen.finals).toBe(1)
  })
})
