import { describe, expect, it, vi } from 'vitest'
import type { ClientFrame } from '../../contract/wire/frames.js'
import { type FakeSocket, harness, settled, watch, welcome } from './support/harness.js'

/** Reads a stream to its end; what it threw stands behind its items. */
async function readAll(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const seen: unknown[] = []
  try {
    for await (const item of stream) seen.push(item)
    seen.push('end')
  } catch (error) {
    seen.push((error as { code: string }).code)
  }
  return seen
}

/** CALL, CREDIT and CANCEL of a socket. */
const sent = (socket: FakeSocket): ClientFrame[] => socket.frames.filter(([type]) => [2, 3, 4].includes(type))

/** How much credit a socket was given for a seq. */
const credit = (socket: FakeSocket, seq = 1): number =>
  socket.of(4).reduce((sum, frame) => (frame[1] === seq ? sum + Number(frame[2]) : sum), 0)

describe('reading', () => {
  it('sends CALL and CREDIT, gives the items in order, and ends with the ack', async () => {
    const { client, open } = harness({ timeout: 700 })
    const socket = await open()
    const stream = client.calls.follow({ a: 1 })
    await settled()
    expect(sent(socket)).toEqual([])
    const read = readAll(stream)
    await settled()
    expect(sent(socket)).toEqual([
      [2, 1, 'follow', { a: 1 }, 700],
      [4, 1, 16],
    ])
    socket.receive([20, 1, 1], [20, 1, 2])
    await settled()
    socket.receive([20, 1, 3], [18, 1, 'ack'])
    expect(await read).toEqual([1, 2, 3, 'end'])
    expect(await stream.result()).toEqual({ ok: true, value: 'ack' })
    expect(sent(socket).length).toBe(2)
  })

  it('connects, and leaves with the first flight', async () => {
    const { client, sockets } = harness()
    const read = watch(readAll(client.calls.follow(null)))
    await settled()
    sockets[0]?.open()
    expect(sockets[0]?.frames.map(([type]) => type)).toEqual([1, 2, 4])
    sockets[0]?.receive([17, 's', { inFlight: 1, bytes: 65_536, heartbeat: 25_000 }, [], 'same', 0])
    sockets[0]?.receive([20, 1, 1], [18, 1, null])
    await settled()
    expect(read.value).toEqual([1, 'end'])
  })

  it('does not wait behind calls that have no room', async () => {
    const { client, open } = harness()
    const socket = await open({ inFlight: 1 })
    void client.calls.list.result(1)
    void client.calls.list.result(2)
    void readAll(client.calls.follow(null))
    await settled()
    void client.calls.list.result(3)
    expect(sent(socket).map((frame) => frame[2])).toEqual(['list', 'follow', 16])
    socket.receive([18, 1, null])
    expect(socket.of(2).map((frame) => frame[3])).toEqual([1, null, 2])
  })

  it('has the ack as the value of its end, which comes once', async () => {
    const { client, open } = harness()
    const socket = await open()
    const items = client.calls.follow(null)[Symbol.asyncIterator]()
    const steps = [items.next(), items.next(), items.next()]
    socket.receive([20, 1, 7], [18, 1, 'ack'])
    expect(await Promise.all(steps)).toEqual([
      { done: false, value: 7 },
      { done: true, value: 'ack' },
      { done: true, value: undefined },
    ])
  })

  it('is of the input as it was when called, and of one reader', async () => {
    const { client, open } = harness()
    const socket = await open()
    const input = { a: 1 }
    const stream = client.calls.follow(input)
    input.a = 2
    void readAll(stream)
    expect(socket.of(2)[0]?.[3]).toEqual({ a: 1 })
    expect(() => stream[Symbol.asyncIterator]()).toThrow('follow: a stream is read once')
    expect(() => client.calls.follow(1n)).toThrow(TypeError)
  })

  it('takes no room from calls, nor calls from it', async () => {
    const { client, open } = harness()
    const socket = await open({ inFlight: 2 })
    for (let i = 0; i < 4; i++) void readAll(client.calls.follow(i))
    void client.calls.get(1)
    void client.calls.get(2)
    expect(socket.of(2).map(([, , name]) => name)).toEqual([
      'follow',
      'follow',
      'follow',
      'follow',
      'get',
      'get',
    ])
    void client.calls.get(3).catch(() => undefined)
    expect(socket.of(2).length).toBe(6)
    void readAll(client.calls.follow(5))
    socket.receive([18, 5, null])
    await settled()
    expect(socket.of(2).length).toBe(8)
  })
})

describe('credit', () => {
  it('is given back in halves as items are read; nothing is when the reader stops', async () => {
    const { client, open } = harness()
    const socket = await open()
    const items = client.calls.follow(null)[Symbol.asyncIterator]()
    const first = items.next()
    for (let n = 1; n <= 16; n++) socket.receive([20, 1, n])
    expect(await first).toEqual({ done: false, value: 1 })
    await settled()
    expect(credit(socket)).toBe(16)
    for (let n = 2; n <= 7; n++) await items.next()
    expect(credit(socket)).toBe(16)
    expect((await items.next()).value).toBe(8)
    expect(credit(socket)).toBe(24)
    for (let n = 9; n <= 16; n++) await items.next()
    expect(credit(socket)).toBe(32)
  })

  it('that a server does not keep to ends the stream', async () => {
    const { client, open, errors } = harness()
    const socket = await open()
    const stream = client.calls.follow(null)
    const items = stream[Symbol.asyncIterator]()
    void items.next()
    for (let n = 1; n <= 17; n++) socket.receive([20, 1, n])
    await settled()
    expect(errors).toMatchObject([{ message: 'follow: the server sent more items than it was asked for' }])
    expect(await stream.result()).toMatchObject({ ok: false, error: { code: 'CANCELLED' } })
    expect(socket.of(3)).toEqual([[3, 1]])
  })
})

describe('leaving', () => {
  const leave = {
    break: async (stream: AsyncIterable<number>) => {
      for await (const item of stream) if (item === 2) break
      return 'left'
    },
    return: async (stream: AsyncIterable<number>) => {
      for await (const item of stream) if (item === 2) return 'left'
      return 'end'
    },
    throw: async (stream: AsyncIterable<number>) => {
      try {
        for await (const item of stream) if (item === 2) throw new Error('left')
      } catch (error) {
        return (error as Error).message
      }
      return 'end'
    },
  }
  it.each(Object.entries(leave))('by %s cancels the call', async (_how, run) => {
    const { client, open, clock } = harness()
    const socket = await open()
    const timers = clock.pending
    const stream = client.calls.follow(null)
    const left = run(stream)
    socket.receive([20, 1, 1], [20, 1, 2], [20, 1, 3])
    expect(await left).toBe('left')
    expect(socket.of(3)).toEqual([[3, 1]])
    expect(await stream.result()).toMatchObject({ ok: false, error: { code: 'CANCELLED' } })
    // What was on its way, and the answer.
    socket.receive([20, 1, 4], [19, 1, 'CANCELLED', null])
    await settled()
    expect(sent(socket).length).toBe(3)
    expect(clock.pending).toBe(timers)
  })

  it('before the first item, and before anything is sent', async () => {
    const { client, open } = harness()
    const socket = await open()
    const never = client.calls.follow(null)[Symbol.asyncIterator]()
    expect(await never.return?.()).toEqual({ done: true, value: undefined })
    expect(await never.next()).toEqual({ done: true, value: undefined })
    expect(sent(socket)).toEqual([])
    const items = client.calls.follow(null)[Symbol.asyncIterator]()
    const waiting = items.next()
    await items.return?.()
    socket.receive([20, 1, 1])
    expect(await items.next()).toEqual({ done: true, value: undefined })
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(socket.of(3)).toEqual([[3, 1]])
  })

  it('by a signal throws CANCELLED, at once', async () => {
    const { client, open } = harness()
    const socket = await open()
    const controller = new AbortController()
    const stream = client.calls.follow(null, { signal: controller.signal })
    const items = stream[Symbol.asyncIterator]()
    const first = items.next()
    socket.receive([20, 1, 1], [20, 1, 2])
    await first
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    controller.abort()
    expect(removed).toHaveBeenCalled()
    await expect(items.next()).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(socket.of(3)).toEqual([[3, 1]])
    expect(await readAll(client.calls.follow(null, { signal: controller.signal }))).toEqual(['CANCELLED'])
    expect(socket.of(2).length).toBe(1)
  })
})

describe('failing', () => {
  it('throws behind the items that came, typed by its code in the result', async () => {
    const { client, open } = harness()
    const socket = await open()
    const stream = client.calls.follow(null)
    const read = readAll(stream)
    socket.receive([20, 1, 1], [19, 1, 'GONE', { since: 3 }])
    expect(await read).toEqual([1, 'GONE'])
    const result = await stream.result()
    expect(!result.ok && result.error.code === 'GONE' && result.error.data.since).toBe(3)
  })

  it('with CONNECTION_LOST when the connection is lost, behind the items; nothing is sent again', async () => {
    const { client, open, clock, sockets } = harness()
    const socket = await open()
    const items = client.calls.follow(null)[Symbol.asyncIterator]()
    const first = items.next()
    socket.receive([20, 1, 1], [20, 1, 2])
    await first
    socket.end()
    expect(await items.next()).toEqual({ done: false, value: 2 })
    await expect(items.next()).rejects.toMatchObject({ code: 'CONNECTION_LOST', retry: true })
    expect(await items.next()).toEqual({ done: true, value: undefined })
    await clock.advance(1000)
    sockets[1]?.open()
    expect(sockets[1]?.of(2)).toEqual([])
  })

  it('with OFFLINE while the client waits for its next attempt, and CLOSED when it is closed', async () => {
    const { client, open } = harness()
    const socket = await open()
    socket.end()
    expect(await readAll(client.calls.follow(null))).toEqual(['OFFLINE'])
    client.close()
    expect(await readAll(client.calls.follow(null))).toEqual(['CLOSED'])
  })

  it('with TOO_LARGE, and QUEUE_FULL where too many calls have not settled', async () => {
    const { client, open } = harness({ outbox: { entries: 1 } })
    await open({ bytes: 100 })
    expect(await readAll(client.calls.follow('x'.repeat(100)))).toEqual(['TOO_LARGE'])
    void readAll(client.calls.follow(1))
    expect(await readAll(client.calls.follow(2))).toEqual(['QUEUE_FULL'])
  })

  it('with TIMEOUT when an item takes too long while somebody waits for it', async () => {
    const { client, open, clock } = harness()
    const socket = await open({ heartbeat: 300_000 })
    const stream = client.calls.follow(null, { timeout: 1000 })
    const items = stream[Symbol.asyncIterator]()
    for (let n = 1; n <= 3; n++) {
      const step = items.next()
      await clock.advance(900)
      socket.receive([20, 1, n])
      expect((await step).value).toBe(n)
      // Nobody waits: neither does the clock run.
      await clock.advance(5000)
    }
    const last = watch(items.next())
    await clock.advance(1001)
    expect(last.error).toMatchObject({ code: 'TIMEOUT' })
    expect(socket.of(3)).toEqual([[3, 1]])
  })

  it('with TIMEOUT where there is no connection in time', async () => {
    const { client, clock } = harness()
    const read = watch(readAll(client.calls.follow(null, { timeout: 1000 })))
    await clock.advance(1001)
    expect(read.value).toEqual(['TIMEOUT'])
  })
})

describe('moving to the next connection', () => {
  it('leaves a stream where it is, with its credit, until its end', async () => {
    const made = harness()
    const old = await made.open()
    await made.clock.advance(10_000)
    const read = watch(readAll(made.client.calls.follow(1)))
    old.receive([28, 'restart', 4000])
    await settled()
    const next = made.socket
    next.open()
    next.receive(welcome())
    const other = watch(readAll(made.client.calls.follow(2)))
    for (let n = 1; n <= 8; n++) old.receive([20, 1, n])
    next.receive([20, 1, 100])
    await settled()
    expect([credit(old), credit(next)]).toEqual([24, 16])
    expect(old.closedBy).toBe(undefined)
    old.receive([18, 1, 'old'])
    await settled()
    expect(read.value).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 'end'])
    expect(old.closedBy?.code).toBe(4004)
    old.end(4004)
    next.receive([18, 1, 'new'])
    await settled()
    expect(other.value).toEqual([100, 'end'])
  })

  it('loses it with the old connection, and that one only', async () => {
    const made = harness()
    const old = await made.open()
    await made.clock.advance(10_000)
    const lost = watch(readAll(made.client.calls.follow(1)))
    old.receive([28, 'restart', 4000])
    await settled()
    const next = made.socket
    next.open()
    next.receive(welcome())
    const kept = watch(readAll(made.client.calls.follow(2)))
    old.end(1012)
    await settled()
    expect(lost.value).toEqual(['CONNECTION_LOST'])
    next.receive([20, 1, 1], [18, 1, null])
    await settled()
    expect(kept.value).toEqual([1, 'end'])
  })
})

describe('result', () => {
  it('reads by itself where nobody has begun to, and drops the items', async () => {
    const { client, open } = harness()
    const socket = await open()
    const stream = client.calls.follow(null)
    const result = stream.result()
    for (let n = 1; n <= 16; n++) socket.receive([20, 1, n])
    await settled()
    expect(credit(socket)).toBe(32)
    socket.receive([18, 1, 'ack'])
    expect(await result).toEqual({ ok: true, value: 'ack' })
    expect(await stream.result()).toEqual({ ok: true, value: 'ack' })
    expect(() => stream[Symbol.asyncIterator]()).toThrow(TypeError)
  })

  it('never rejects, whether somebody reads or nobody does', async () => {
    const { client, open } = harness()
    const socket = await open()
    const streams = [client.calls.follow(1), client.calls.follow(2)]
    const read = readAll(streams[0] as AsyncIterable<number>)
    const results = streams.map((stream) => stream.result())
    socket.receive([19, 1, 'FORBIDDEN', null], [19, 2, 'FORBIDDEN', null])
    expect(await read).toEqual(['FORBIDDEN'])
    for (const result of await Promise.all(results))
      expect(result).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } })
  })
})
