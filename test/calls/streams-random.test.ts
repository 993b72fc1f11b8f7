import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { createClient, type Failure, type StreamCall, stream as withItems } from '../../client/index.js'
import { msgpack } from '../../client/msgpack.js'
import { createClock, createNetwork } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, namespace } from '../../plugins/index.js'

/** Items a client lets come ahead of its reader. */
const WINDOW = 16

const contract = defineContract({
  name: 'streams',
  version: '1.0.0',
  calls: {
    pull: call({
      input: Type.Object({ id: Type.Integer(), n: Type.Integer() }),
      item: Type.Object({ n: Type.Integer() }),
      ack: Type.Object({ count: Type.Integer() }),
      errors: { STOPPED: Type.Object({ at: Type.Integer() }) },
    }),
  },
})
const descriptor = {
  ...{ version: contract.version, hash: contract.hash },
  calls: { pull: { delivery: 'attempt', stream: withItems } },
  rooms: {},
} as const

interface Calls {
  readonly pull: StreamCall<
    { id: number; n: number },
    { n: number },
    { count: number },
    { STOPPED: { at: number } }
  >
}

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

/** What became of one stream. */
interface Reading {
  read: number
  made: number
  lost: boolean
  end: string | undefined
}

async function run(seed: number): Promise<string[]> {
  const random = generator(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const clock = createClock()
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms))
  const readings: Reading[] = []
  const errors: unknown[] = []
  let started = 0
  let ended = 0

  const app = Fastify()
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  await app.register(ackord, { clock, maxStreams: 6, callTimeout: 20_000 })
  await app.register(
    live.plugin({
      calls: {
        async *pull({ id, n }, { fail, signal }) {
          started++
          const reading = readings[id] as Reading
          try {
            for (let i = 0; i < n; i++) {
              expect(signal.aborted).toBe(false)
              if (random() < 0.1) await sleep(below(400))
              if (signal.aborted) break
              if (random() < 0.002) fail('STOPPED', { at: i })
              reading.made = i + 1
              yield { n: i }
            }
            return { count: n }
          } finally {
            ended++
          }
        },
      },
    }),
  )
  const network = await createNetwork(app)
  const client = createClient<Calls, object, object>(descriptor, 'ws://test/live', {
    ...{ clock, random, WebSocket: network.WebSocket, timeout: 10_000, backoff: { max: 500 } },
    ...(seed % 2 === 0 && { codec: msgpack }),
    onError: (error) => errors.push(error),
  })

  async function read(id: number): Promise<void> {
    const reading = readings[id] as Reading
    const n = below(300)
    const leaveAt = random() < 0.3 ? below(200) : -1
    const abort = random() < 0.2 ? new AbortController() : undefined
    const abortAt = below(200)
    const stream = client.calls.pull({ id, n }, abort ? { signal: abort.signal } : {})
    try {
      for await (const item of stream) {
        expect(item.n).toBe(reading.read)
        reading.read++
        if (reading.read === leaveAt) break
        if (reading.read === abortAt) abort?.abort()
        if (random() < 0.1) await sleep(below(random() < 0.1 ? 5000 : 100))
      }
      reading.end = reading.read === leaveAt ? 'left' : 'end'
    } catch (error) {
      reading.end = (error as Failure).code ?? String(error)
    }
    if (reading.end === 'CANCELLED') expect(abort?.signal.aborted).toBe(true)
    const result = await stream.result()
    if (reading.end === 'end') {
      expect(reading.read).toBe(n)
      expect(result).toEqual({ ok: true, value: { count: n } })
    } else if (reading.end !== 'left') expect(!result.ok && result.error.code).toBe(reading.end)
  }

  const done: Promise<void>[] = []
  const begin = (): void => {
    readings.push({ read: 0, made: 0, lost: false, end: undefined })
    done.push(read(readings.length - 1))
  }
  client.connection.connect()
  await network.settle()
  for (let step = 0; step < 60; step++) {
    if (step < 40 && random() < 0.4) begin()
    if (random() < 0.04) {
      network.cut()
      for (const reading of readings) reading.lost = true
      await clock.advanceAsync(below(300))
      network.restore()
    }
    await clock.advanceAsync(below(600))
    // What was made is what was read, what may come ahead of the reader, and what the generator is at.
    for (const { made, read, lost, end } of readings)
      if (!lost && end === undefined) expect(made).toBeLessThanOrEqual(read + WINDOW + 1)
  }
  for (let i = 0; i < 100 && readings.some(({ end }) => end === undefined); i++)
    await clock.advanceAsync(5000)
  await Promise.all(done)
  await clock.advanceAsync(1000)
  expect(errors).toEqual([])
  expect(ended).toBe(started)
  for (const connection of app.ackordGateway.gateway.sockets) expect(connection.streams).toBe(0)
  client.close()
  await network.settle()
  network.cut()
  await app.close()
  return readings.map(({ end }) => String(end))
}

describe('a stream of bytes', () => {
  it('goes the way of acks under the binary codec', async () => {
    const bytes = defineContract({
      name: 'bytes',
      version: '1.0.0',
      calls: {
        read: call({
          input: Type.Object({ n: Type.Integer() }),
          item: Type.Uint8Array(),
          ack: Type.Uint8Array(),
        }),
      },
    })
    const app = Fastify()
    const live = namespace(bytes, { path: '/bytes', authenticate: 'none' })
    await app.register(ackord)
    await app.register(
      live.plugin({
        calls: {
          async *read({ n }) {
            for (let i = 0; i < n; i++) yield new Uint8Array(10_000).fill(i)
            return new Uint8Array([1, 2, 3])
          },
        },
      }),
    )
    const network = await createNetwork(app)
    const client = createClient<{ read: StreamCall<{ n: number }, Uint8Array, Uint8Array> }, object, object>(
      {
        ...{ version: bytes.version, hash: bytes.hash, rooms: {} },
        calls: { read: { delivery: 'attempt', stream: withItems } },
      },
      'ws://test/bytes',
      { WebSocket: network.WebSocket, codec: msgpack },
    )
    const seen: number[] = []
    const stream = client.calls.read({ n: 40 })
    for await (const item of stream) {
      expect(item.length).toBe(10_000)
      seen.push(item[9999] ?? -1)
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i))
    expect(await stream.result()).toEqual({ ok: true, value: new Uint8Array([1, 2, 3]) })
    client.close()
    network.cut()
    await app.close()
  })
})

describe('streams under random readers, cuts and cancels', () => {
  it('come complete and in order, never ahead of their credit, and all of them end', async () => {
    const ends: string[] = []
    for (let seed = 1; seed <= 16; seed++) {
      try {
        ends.push(...(await run(seed)))
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
    const count = (end: string): number => ends.filter((each) => each === end).length
    // The test would prove nothing if one of these never happened.
    for (const end of ['end', 'left', 'CANCELLED', 'CONNECTION_LOST', 'STOPPED', 'OVERLOADED'])
      expect(count(end), end).toBeGreaterThan(0)
    expect(new Set(ends)).not.toContain('undefined')
  }, 60_000)
})
