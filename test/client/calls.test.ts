import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../client/index.js'
import type { Codec } from '../../contract/wire/codec.js'
import { ERRORS } from '../../contract/wire/errors.js'
import type { ClientFrame, WireOperation } from '../../contract/wire/frames.js'
import { spoken } from './support/codec.js'
import { type Harness, harness, settled, watch, welcome } from './support/harness.js'

const HELLO = expect.arrayContaining([1])
const failure = (code: string) => expect.objectContaining({ code })
const rejected = (code: string) => ({ state: 'rejected', error: failure(code) })

/** One call of each delivery that is answered. */
const each = {
  attempt: ({ client }: Harness) => client.calls.get({ n: 1 }),
  repeat: ({ client }: Harness) => client.calls.list({ n: 1 }),
  once: ({ client }: Harness) => client.calls.message.send({ n: 1 }),
}
const deliveries = Object.keys(each) as (keyof typeof each)[]

/** Comes back after a loss, up to the open socket. */
async function redial(made: Harness): Promise<void> {
  made.client.connection.connect()
  await settled()
  made.socket.open()
}

describe('a call', () => {
  it.each(deliveries)('of delivery %s resolves with its ack', async (delivery) => {
    const made = harness()
    const socket = await made.open()
    const call = watch(each[delivery](made))
    expect(socket.of(2).length).toBe(1)
    socket.receive([18, 1, { id: 7 }])
    await settled()
    expect(call).toEqual({ state: 'resolved', value: { id: 7 } })
    expect(socket.of(3)).toEqual([])
    expect(made.client.outbox.size).toBe(0)
  })

  it('names its call as the contract does, with its deadline, and its operation where it is one', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.calls.get({ a: 1 }, { timeout: 1500.2 })
    void made.client.calls.message.send({ text: 'é' })
    expect(socket.of(2)).toEqual([
      [2, 1, 'get', { a: 1 }, 1501, null],
      [2, 2, 'message.send', { text: 'é' }, 30_000, [expect.stringMatching(/^[\w-]{22,}$/), 1, 1, false]],
    ])
  })

  it('may have any name', async () => {
    const made = harness()
    const socket = await made.open()
    const { calls } = made.client
    void calls.constructor({})
    void calls.toString({})
    void calls['a-b']({})
    void calls.on.class({})
    expect(socket.of(2).map((frame) => frame[2])).toEqual(['constructor', 'toString', 'a-b', 'on.class'])
    expect(Object.getPrototypeOf(calls)).toBe(null)
    expect(Object.getPrototypeOf(calls.on)).toBe(null)
  })

  it('sends what its input was when it was called', async () => {
    const made = harness()
    const input = { list: [1], at: new Date(0), gone: undefined }
    void made.client.calls.list(input)
    input.list.push(2)
    const socket = await made.open()
    expect(socket.of(2)).toEqual([
      [2, 1, 'list', { list: [1], at: '1970-01-01T00:00:00.000Z' }, 30_000, null],
    ])
  })

  it('may have no input', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.calls.list(undefined)
    expect(socket.of(2)[0]?.[3]).toBe(null)
  })

  it('rejects what JSON cannot carry and what a server would close for, and stays usable', async () => {
    const made = harness()
    const socket = await made.open()
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    await expect(made.client.calls.list(cycle)).rejects.toThrow(TypeError)
    await expect(made.client.calls.list.result({ big: 1n })).rejects.toThrow(TypeError)
    await expect(made.client.calls.list(JSON.parse('{"__proto__":1}'))).rejects.toThrow('__proto__')
    expect(made.client.outbox.size).toBe(0)
    expect(socket.of(2)).toEqual([])
    expect(made.clock.pending).toBe(2)
    void made.client.calls.list({})
    expect(socket.of(2).length).toBe(1)
  })

  it('fails with what the server says: a declared error keeps its data', async () => {
    const made = harness()
    const socket = await made.open()
    const call = made.client.calls.get.result({})
    socket.receive([19, 1, 'GONE', { since: 3 }])
    const result = await call
    expect(result).toEqual({ ok: false, error: expect.any(Failure) })
    if (result.ok || result.error.code !== 'GONE') throw new Error('not the declared error')
    expect(result.error.data.since).toBe(3)
    expect(result.error.retry).toBe(false)
    expect(result.error.retryAfter).toBe(undefined)
  })

  it('of delivery attempt fails at once where a retry would help, and says when', async () => {
    const made = harness()
    const socket = await made.open()
    const call = watch(made.client.calls.get({}))
    socket.receive([19, 1, 'RATE_LIMITED', null, 1500])
    await settled()
    expect(call.error).toMatchObject({ code: 'RATE_LIMITED', retry: true, retryAfter: 1500, data: null })
  })

  it('does not reject as result()', async () => {
    const made = harness()
    made.client.close()
    for (const call of [made.client.calls.get, made.client.calls.list, made.client.calls.message.send]) {
      expect(await call.result({})).toMatchObject({ ok: false, error: { code: 'CLOSED', retry: false } })
    }
  })
})

describe('a failure', () => {
  it('is an Error that names the call, the code and what it means, without the library in its stack', () => {
    const error = new Failure('message.send', 'QUEUE_FULL', null)
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toBe(
      'Failure: message.send failed with QUEUE_FULL: too many calls wait, see outbox.entries',
    )
    expect(error.stack).toBe(String(error))
  })

  it.each(Object.entries(ERRORS))(
    '%s says whether a retry makes sense as the table does',
    (code, { retry }) => {
      expect(new Failure('x', code, null).retry).toBe(retry)
    },
  )

  it('of a code that the contract declared does not', () => {
    for (const code of ['CHANNEL_CLOSED', 'constructor'])
      expect(new Failure('x', code, null).retry).toBe(false)
  })
})

describe('without a connection', () => {
  it.each(deliveries)('%s connects from idle, and waits for that attempt', async (delivery) => {
    const made = harness()
    const call = watch(each[delivery](made))
    await settled()
    expect(made.client.connection.state).toBe('connecting')
    made.socket.open()
    expect(made.socket.frames).toEqual([HELLO, expect.arrayContaining([2])])
    made.socket.receive(welcome(), [18, 1, 'done'])
    await settled()
    expect(call).toEqual({ state: 'resolved', value: 'done' })
  })

  it.each(deliveries)(
    '%s joins an attempt under way; when it fails before the socket is open it is as offline as ever',
    async (delivery) => {
      const made = harness()
      made.client.connection.connect()
      await settled()
      const call = watch(each[delivery](made))
      made.socket.end(1006)
      await settled()
      expect(call).toEqual(delivery === 'attempt' ? rejected('OFFLINE') : { state: 'pending' })
    },
  )

  it.each(deliveries)('%s while waiting: only attempt fails', async (delivery) => {
    const made = harness()
    const socket = await made.open()
    socket.end(1006)
    const call = watch(each[delivery](made))
    await settled()
    expect(call).toEqual(delivery === 'attempt' ? rejected('OFFLINE') : { state: 'pending' })
    await redial(made)
    expect(made.socket.of(2).length).toBe(delivery === 'attempt' ? 0 : 1)
  })

  it.each(deliveries)('%s after a final close fails at once', async (delivery) => {
    const made = harness()
    const socket = await made.open()
    socket.end(4509)
    const call = watch(each[delivery](made))
    await settled()
    expect(call).toEqual(rejected('CLOSED'))
    expect(made.client.connection.state).toBe('closed')
  })

  it('volatile is dropped until WELCOME, and never throws for it', async () => {
    const made = harness()
    made.client.calls.typing({ n: 1 })
    await settled()
    made.socket.open()
    made.client.calls.typing({ n: 2 })
    made.socket.receive(welcome())
    made.client.calls.typing({ n: 3 })
    expect(made.socket.of(2)).toEqual([[2, 1, 'typing', { n: 3 }]])
    made.socket.end(1006)
    made.client.calls.typing({ n: 4 })
    made.client.close()
    made.client.calls.typing({ n: 5 })
    expect(made.errors).toEqual([])
  })
})

describe('a volatile call', () => {
  it('is written once, and dropped or not throws what cannot be sent', async () => {
    let written = 0
    const codec: Codec = {
      ...spoken.codec,
      encode(frame) {
        written++
        return spoken.codec.encode(frame)
      },
    }
    const made = harness({ codec })
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    expect(() => made.client.calls.typing(cyclic)).toThrow(TypeError)
    expect(() => made.client.calls.typing({ constructor: { prototype: 1 } })).toThrow(RangeError)
    const socket = await made.open()
    expect(() => made.client.calls.typing({ constructor: { prototype: 1 } })).toThrow(RangeError)
    written = 0
    made.client.calls.typing({ n: 1 })
    expect(written).toBe(1)
    expect(socket.of(2).map((frame) => frame[3])).toEqual([{ n: 1 }])
  })

  it('does not count as one in flight', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 1 })
    for (let n = 0; n < 5; n++) made.client.calls.typing({ n })
    void made.client.calls.list({})
    expect(socket.of(2).map((frame) => frame[1])).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('is dropped while the socket is full', async () => {
    const made = harness()
    const socket = await made.open()
    socket.bufferedAmount = 65_537
    made.client.calls.typing({})
    expect(socket.of(2)).toEqual([])
    socket.bufferedAmount = 65_536
    made.client.calls.typing({})
    expect(socket.of(2).length).toBe(1)
  })

  it('that is too large is reported', async () => {
    const made = harness()
    const socket = await made.open({ bytes: 100 })
    made.client.calls.typing({ text: 'x'.repeat(100) })
    await settled()
    expect(made.errors).toEqual([failure('TOO_LARGE')])
    expect(socket.of(2)).toEqual([])
  })
})

describe('the first flight', () => {
  it('is HELLO, then JOINs, then calls, 16 frames in all; the rest follows WELCOME', async () => {
    const made = harness()
    for (let n = 0; n < 20; n++) void made.client.calls.list({ n })
    void made.client.rooms.lobby({}).join()
    await settled()
    made.socket.open()
    const flight = made.socket.frames.map((frame) => frame[0])
    expect(flight).toEqual([1, 6, ...Array(14).fill(2)])
    made.socket.receive(welcome({ inFlight: 100 }))
    expect(made.socket.of(2).map((frame) => (frame[3] as { n: number }).n)).toEqual([...Array(20).keys()])
  })

  it('is at most 64 KiB', async () => {
    const made = harness({ token: () => 't'.repeat(10_000) })
    // Three bytes each in UTF-8, one unit each in a string.
    for (let n = 0; n < 5; n++) void made.client.calls.list({ text: '€'.repeat(6000) })
    await settled()
    made.socket.open()
    const bytes = made.socket.messages.reduce((sum, each) => sum + Buffer.byteLength(each), 0)
    expect(bytes).toBeLessThanOrEqual(65_536)
    expect(bytes).toBeGreaterThan(65_536 - 18_100)
    made.socket.receive(welcome())
    expect(made.socket.of(2).length).toBe(5)
  })

  it('holds back what takes a call back until WELCOME', async () => {
    const made = harness()
    for (let n = 0; n < 15; n++) void made.client.calls.list.result({ n })
    await settled()
    made.socket.open()
    made.client.outbox.clear()
    expect(made.socket.frames.length).toBe(16)
    made.socket.receive(welcome())
    expect(made.socket.of(3).map((frame) => frame[1])).toEqual(Array.from({ length: 15 }, (_, i) => i + 1))
  })

  it('of 10,000 calls keeps a bounded outbox and settles each call', async () => {
    const made = harness()
    const calls = Array.from({ length: 10_000 }, (_, n) => watch(made.client.calls.list({ n })))
    await settled()
    expect(made.client.outbox.size).toBe(1000)
    expect(calls.slice(1000).every((call) => (call.error as Failure).code === 'QUEUE_FULL')).toBe(true)
    made.socket.open()
    expect(made.socket.of(2).length).toBe(15)
    made.socket.receive(welcome({ inFlight: 10_000 }))
    expect(made.socket.of(2).length).toBe(1000)
    for (let seq = 1; seq <= 1000; seq++) made.socket.receive([18, seq, seq])
    await settled()
    expect(calls.every((call) => call.state !== 'pending')).toBe(true)
    expect(calls.filter((call) => call.state === 'resolved').length).toBe(1000)
  })
})

describe('pacing', () => {
  it('leaves at most inFlight calls unanswered, in their order', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 3 })
    const calls = Array.from({ length: 8 }, (_, n) => watch(made.client.calls.list({ n })))
    expect(socket.of(2).length).toBe(3)
    socket.receive([18, 2, 'b'])
    expect(socket.of(2).length).toBe(4)
    socket.receive([18, 1, 'a'], [19, 3, 'INTERNAL', { id: 'x' }])
    expect(socket.of(2).map((frame) => (frame[3] as { n: number }).n)).toEqual([0, 1, 2, 3, 4, 5])
    await settled()
    expect(calls.map((call) => call.state).slice(0, 4)).toEqual([
      'resolved',
      'resolved',
      'rejected',
      'pending',
    ])
  })

  it('counts a call that was taken back until its answer comes', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 1 })
    const abort = new AbortController()
    void made.client.calls.list.result({ n: 0 }, { signal: abort.signal })
    void made.client.calls.list({ n: 1 })
    abort.abort()
    expect(socket.frames.slice(1)).toEqual([expect.arrayContaining([2, 1]), [3, 1]])
    socket.receive([19, 1, 'CANCELLED', null])
    expect(socket.of(2).length).toBe(2)
  })

  it('counts joins too', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 1 })
    void made.client.rooms.lobby({}).join()
    void made.client.calls.list({})
    expect(socket.of(2)).toEqual([])
    socket.receive([22, 1, 'lobby', 0])
    expect(socket.of(2).length).toBe(1)
  })

  it('takes no limit for a limit of one', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 0 })
    void made.client.calls.list({})
    void made.client.calls.list({})
    expect(socket.of(2).length).toBe(1)
  })
})

describe('a connection lost while in flight', () => {
  it.each([
    ['attempt', 'CONNECTION_LOST'],
    ['repeat', undefined],
    ['once', undefined],
  ] as const)('fails or repeats: %s', async (delivery, code) => {
    const made = harness()
    const socket = await made.open()
    const call = watch(each[delivery](made))
    socket.end(1006)
    await settled()
    expect(call).toEqual(code ? rejected(code) : { state: 'pending' })
    await redial(made)
    made.socket.receive(welcome())
    const [frame] = made.socket.of(2)
    expect(frame?.[3]).toEqual(code ? undefined : { n: 1 })
    if (code) return
    made.socket.receive([18, 1, 'second'])
    await settled()
    expect(call).toEqual({ state: 'resolved', value: 'second' })
  })

  it('repeats an operation under its number, and says that it may have been sent', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.calls.message.send({ n: 1 })
    void made.client.calls.message.send({ n: 2 })
    socket.receive([18, 1, null])
    socket.end(1006)
    void made.client.calls.message.send({ n: 3 })
    await redial(made)
    // Only WELCOME tells whether this server keeps a ledger; what was never sent must not overtake.
    expect(made.socket.of(2)).toEqual([])
    made.socket.receive(welcome())
    const operations = [...socket.of(2), ...made.socket.of(2)].map((frame) => frame[5] as WireOperation)
    expect(operations.map(([, ...operation]) => operation)).toEqual([
      [1, 1, false],
      [2, 1, false],
      [2, 2, true],
      [3, 2, false],
    ])
    expect(new Set(operations.map(([producer]) => producer)).size).toBe(1)
  })

  it('does not repeat an operation where the server kept no ledger', async () => {
    const made = harness()
    const socket = await made.open({ features: [] })
    const sent = watch(made.client.calls.message.send({ n: 1 }))
    socket.end(1006)
    const unsent = watch(made.client.calls.message.send({ n: 2 }))
    await settled()
    expect(sent).toEqual(rejected('OUTCOME_UNKNOWN'))
    await redial(made)
    expect(made.socket.of(2).map((frame) => frame[3])).toEqual([{ n: 2 }])
    expect(unsent.state).toBe('pending')
  })

  it('does not repeat an operation where the next server keeps no ledger', async () => {
    const made = harness()
    const socket = await made.open()
    const sent = watch(made.client.calls.message.send({ n: 1 }))
    socket.end(1006)
    await redial(made)
    made.socket.receive(welcome({ features: [] }))
    await settled()
    expect(sent).toEqual(rejected('OUTCOME_UNKNOWN'))
    expect(made.socket.of(2)).toEqual([])
  })

  it('that broke before WELCOME leaves the ledger unknown: the operation waits for the next WELCOME', async () => {
    const made = harness()
    const call = watch(made.client.calls.message.send({ n: 1 }))
    await settled()
    made.socket.open()
    expect(made.socket.of(2).length).toBe(1)
    made.socket.end(1006)
    await redial(made)
    expect(made.socket.of(2)).toEqual([])
    made.socket.receive(welcome())
    expect(made.socket.of(2)[0]?.[5]).toEqual([expect.any(String), 1, 1, true])
    expect(call.state).toBe('pending')
  })

  it('keeps the order of calls when it repeats them', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 2 })
    for (let n = 0; n < 5; n++) void made.client.calls.list({ n })
    socket.end(1006)
    await redial(made)
    made.socket.receive(welcome())
    expect(made.socket.of(2).map((frame) => (frame[3] as { n: number }).n)).toEqual([0, 1, 2, 3, 4])
  })

  it('does not mix up answers of two connections', async () => {
    const made = harness()
    const old = await made.open()
    const first = watch(made.client.calls.list({ n: 1 }))
    const second = watch(made.client.calls.list({ n: 2 }))
    old.receive([18, 1, 'one'])
    old.end(1006)
    await redial(made)
    made.socket.receive(welcome(), [18, 1, 'two'])
    old.receive([18, 2, 'late'])
    await settled()
    expect([first.value, second.value]).toEqual(['one', 'two'])
  })
})

describe('a close before WELCOME', () => {
  const flight = async (delivery: keyof typeof each) => {
    const made = harness()
    const call = watch(each[delivery](made))
    await settled()
    made.socket.open()
    expect(made.socket.of(2).length).toBe(1)
    return { made, call, socket: made.socket }
  }

  it.each(['repeat', 'once'] as const)('with 4006 requeues a call that was not run: %s', async (delivery) => {
    const { made, call, socket } = await flight(delivery)
    socket.end(4006)
    await settled()
    expect(call.state).toBe('pending')
    await redial(made)
    // In the first flight again, and as new: no server has seen it.
    expect(made.socket.of(2)).toEqual(socket.of(2))
  })

  it('with 4006 fails an attempt as one that was not sent', async () => {
    const { call, socket } = await flight('attempt')
    socket.end(4006)
    await settled()
    expect(call).toEqual(rejected('OFFLINE'))
  })

  it.each(deliveries)('with 4506 fails a call with what the server said: %s', async (delivery) => {
    const { call, socket } = await flight(delivery)
    socket.end(4506)
    await settled()
    expect(call).toEqual(rejected('UNAUTHORIZED'))
  })

  it.each([
    ['attempt', 'CONNECTION_LOST'],
    ['repeat', undefined],
    ['once', undefined],
  ] as const)('by the network leaves a call in flight: %s', async (delivery, code) => {
    const { made, call, socket } = await flight(delivery)
    socket.end(1006)
    await settled()
    expect(call).toEqual(code ? rejected(code) : { state: 'pending' })
    if (delivery !== 'once') return
    await redial(made)
    made.socket.receive(welcome())
    expect(made.socket.of(2)[0]?.[5]).toEqual([expect.any(String), 1, 1, true])
  })

  it.each([
    ['attempt', 'CONNECTION_LOST', 'CONNECTION_LOST'],
    ['repeat', undefined, 'CONNECTION_LOST'],
    ['once', undefined, 'OUTCOME_UNKNOWN'],
  ] as const)('is another matter than one after it: %s', async (delivery, after4006, after4506) => {
    for (const [end, code] of [
      [4006, after4006],
      [4506, after4506],
    ] as const) {
      const { call, socket } = await flight(delivery)
      socket.receive(welcome())
      socket.end(end)
      await settled()
      expect(call).toEqual(code ? rejected(code) : { state: 'pending' })
    }
  })
})

describe('a final close', () => {
  it.each([
    ['attempt', 'CONNECTION_LOST'],
    ['repeat', 'CONNECTION_LOST'],
    ['once', 'OUTCOME_UNKNOWN'],
  ] as const)('fails a call in flight and does not send it again: %s', async (delivery, code) => {
    const made = harness()
    const socket = await made.open()
    const call = watch(each[delivery](made))
    socket.end(4500)
    await settled()
    expect(call).toEqual(rejected(code))
    await redial(made)
    made.socket.receive(welcome())
    expect(made.socket.of(2)).toEqual([])
  })

  it.each([
    ['attempt', 'CLOSED'],
    ['repeat', 'CLOSED'],
    ['once', 'CLOSED'],
  ] as const)('fails a call that still waits: %s', async (delivery, code) => {
    const made = harness()
    const socket = await made.open({ inFlight: 1 })
    void made.client.calls.list.result({})
    const call = watch(each[delivery](made))
    socket.end(4509)
    await settled()
    expect(call).toEqual(rejected(code))
  })

  it('leaves the outcome of an operation that was sent before unknown', async () => {
    const made = harness()
    const socket = await made.open()
    const call = watch(made.client.calls.message.send({}))
    socket.end(1006)
    await redial(made)
    made.socket.end(4506)
    await settled()
    expect(call).toEqual(rejected('OUTCOME_UNKNOWN'))
  })

  it.each([
    ['attempt', 'CONNECTION_LOST', 'CLOSED'],
    ['repeat', 'CONNECTION_LOST', 'CLOSED'],
    ['once', 'OUTCOME_UNKNOWN', 'CLOSED'],
  ] as const)('by close() settles everything: %s', async (delivery, inFlight, waiting) => {
    const made = harness()
    await made.open({ inFlight: 1 })
    const calls = [each[delivery](made), each[delivery](made)].map(watch)
    made.client.close()
    const late = watch(each[delivery](made))
    await settled()
    expect(calls).toEqual([rejected(inFlight), rejected(waiting)])
    expect(late).toEqual(rejected('CLOSED'))
  })
})

describe('time', () => {
  it.each(deliveries)('%s sent and not answered fails with TIMEOUT and is cancelled', async (delivery) => {
    const made = harness({ timeout: 5000 })
    const socket = await made.open({ heartbeat: 0 })
    const call = watch(each[delivery](made))
    await made.clock.advance(4999)
    expect(call.state).toBe('pending')
    await made.clock.advance(1)
    expect(call).toEqual(rejected('TIMEOUT'))
    expect(socket.of(3)).toEqual([[3, 1]])
    socket.receive([18, 1, 'late'])
    await settled()
    expect(call.state).toBe('rejected')
  })

  it('an attempt that never gets its turn fails with TIMEOUT', async () => {
    const made = harness()
    const socket = await made.open({ inFlight: 1, heartbeat: 0 })
    void made.client.calls.list.result({}, { timeout: 60_000 })
    const call = watch(made.client.calls.get({}, { timeout: 1000 }))
    await made.clock.advance(1000)
    expect(call).toEqual(rejected('TIMEOUT'))
    expect(socket.frames.length).toBe(2)
  })

  it.each(['repeat', 'once'] as const)('%s queued fails with EXPIRED after its ttl', async (delivery) => {
    const made = harness({ outbox: { ttl: 7000 } })
    const call = watch(each[delivery](made))
    await made.clock.advance(6999)
    expect(call.state).toBe('pending')
    await made.clock.advance(1)
    expect(call).toEqual(rejected('EXPIRED'))
    expect(made.client.outbox.size).toBe(0)
  })

  it('ttl of the call wins over the one of the client, and counts from the call', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const call = watch(made.client.calls.list({}, { ttl: 3000 }))
    await made.clock.advance(2000)
    socket.end(1006)
    await made.clock.advance(999)
    expect(call.state).toBe('pending')
    await made.clock.advance(1)
    expect(call).toEqual(rejected('EXPIRED'))
  })

  it('a ttl that has run out in flight fails the call when the connection is lost', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const call = watch(made.client.calls.list({}, { ttl: 1000 }))
    await made.clock.advance(20_000)
    expect(call.state).toBe('pending')
    socket.end(1006)
    await made.clock.advance(0)
    expect(call).toEqual(rejected('EXPIRED'))
  })

  it('an operation that was sent and then ran out of time has an unknown outcome', async () => {
    const made = harness({ outbox: { ttl: 1000 } })
    const socket = await made.open()
    const call = watch(made.client.calls.message.send({}))
    socket.end(1006)
    await made.clock.advance(1000)
    expect(call).toEqual(rejected('OUTCOME_UNKNOWN'))
  })

  it('takes odd times for what they can mean', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const never = watch(made.client.calls.list({}, { timeout: Number.POSITIVE_INFINITY }))
    const past = watch(made.client.calls.list({}, { timeout: -5 }))
    expect(socket.of(2).map((frame) => frame[4])).toEqual([2_147_483_647, 0])
    await made.clock.advance(1000)
    expect([never.state, past.state]).toEqual(['pending', 'rejected'])
  })

  it('leaves no timer behind', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    await made.clock.advance(10_000)
    for (const delivery of deliveries) void each[delivery](made).catch(() => {})
    expect(made.clock.pending).toBe(3)
    socket.receive([18, 1, 1], [18, 2, 2], [19, 3, 'GONE', null])
    expect(made.clock.pending).toBe(0)
  })
})

describe('taking a call back', () => {
  it.each(deliveries)('by its signal rejects at once and tells the server: %s', async (delivery) => {
    const made = harness()
    const socket = await made.open()
    const abort = new AbortController()
    const { client } = made
    const call = { attempt: client.calls.get, repeat: client.calls.list, once: client.calls.message.send }[
      delivery
    ]
    const seen = watch(call({}, { signal: abort.signal }))
    abort.abort()
    await settled()
    expect(seen).toEqual(rejected('CANCELLED'))
    expect(socket.of(3)).toEqual([[3, 1]])
  })

  it('before it was sent tells nobody', async () => {
    const made = harness()
    const abort = new AbortController()
    const call = watch(made.client.calls.list({}, { signal: abort.signal }))
    abort.abort()
    const socket = await made.open()
    expect(call).toEqual(rejected('CANCELLED'))
    expect(socket.frames.length).toBe(1)
  })

  it('by a signal that is aborted already does not even connect', async () => {
    const made = harness()
    const call = watch(made.client.calls.list({}, { signal: AbortSignal.abort() }))
    await settled()
    expect(call).toEqual(rejected('CANCELLED'))
    expect(made.client.connection.state).toBe('idle')
  })

  it('stays taken back, whatever the server still answers', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    await made.clock.advance(10_000)
    void made.client.calls.list.result({})
    made.client.outbox.clear()
    socket.receive([19, 1, 'UNAVAILABLE', null, 500])
    expect(made.clock.pending).toBe(0)
    await made.clock.advance(1000)
    expect(socket.of(2).length).toBe(1)
  })

  it('leaves no listener on a signal that outlives it', async () => {
    const made = harness()
    const socket = await made.open()
    const { signal } = new AbortController()
    const call = made.client.calls.list({}, { signal })
    expect(getEventListeners(signal, 'abort').length).toBe(1)
    socket.receive([18, 1, null])
    await call
    expect(getEventListeners(signal, 'abort').length).toBe(0)
  })

  it('does nothing after it has settled', async () => {
    const made = harness()
    const socket = await made.open()
    const abort = new AbortController()
    const call = made.client.calls.list({}, { signal: abort.signal })
    socket.receive([18, 1, 'done'])
    abort.abort()
    expect(await call).toBe('done')
    expect(socket.of(3)).toEqual([])
  })
})

describe('a refusal that asks to wait', () => {
  const codes = ['RATE_LIMITED', 'UNAVAILABLE', 'OVERLOADED']

  it.each(codes)('%s sends a queued call again after the time it names', async (code) => {
    const made = harness()
    const socket = await made.open()
    const call = watch(made.client.calls.list({}))
    socket.receive([19, 1, code, null, 3000])
    await made.clock.advance(2999)
    expect(socket.of(2).length).toBe(1)
    await made.clock.advance(1)
    expect(socket.of(2).length).toBe(2)
    socket.receive([18, 2, 'done'])
    await settled()
    expect(call.value).toBe('done')
  })

  it('is not a TIMEOUT of the server: that call may have run, and would take as long again', async () => {
    const made = harness()
    const socket = await made.open()
    const call = watch(made.client.calls.list({}))
    socket.receive([19, 1, 'TIMEOUT', null])
    await settled()
    expect(call).toEqual(rejected('TIMEOUT'))
    expect(socket.of(3)).toEqual([])
  })

  it('without a time backs off, and gives up after eight', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    const call = watch(made.client.calls.message.send({}))
    const waits: number[] = []
    for (let seq = 1; seq <= 8; seq++) {
      const before = made.clock.time
      socket.receive([19, seq, 'UNAVAILABLE', null])
      while (socket.of(2).length === seq && made.clock.pending > 0 && call.state === 'pending')
        await made.clock.advance(50)
      waits.push(made.clock.time - before)
    }
    await settled()
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, expect.any(Number)])
    expect(socket.of(2).length).toBe(8)
    expect(call).toEqual(rejected('UNAVAILABLE'))
  })

  it('for longer than the call may wait fails it', async () => {
    const made = harness()
    const socket = await made.open()
    const call = watch(made.client.calls.list({}, { ttl: 1000 }))
    socket.receive([19, 1, 'RATE_LIMITED', null, 1000])
    await settled()
    expect(call).toEqual(rejected('RATE_LIMITED'))
  })

  it('holds back the operations behind it, and nothing else', async () => {
    const made = harness()
    const socket = await made.open()
    const names = () => socket.of(2).map((frame: ClientFrame) => frame[2])
    void made.client.calls.message.send({ n: 1 })
    socket.receive([19, 1, 'RATE_LIMITED', null, 1000])
    void made.client.calls.message.send({ n: 2 })
    void made.client.calls.list({})
    expect(names()).toEqual(['message.send', 'list'])
    await made.clock.advance(1000)
    expect(socket.of(2).map((frame) => frame[3])).toEqual([{ n: 1 }, {}, { n: 1 }, { n: 2 }])
  })

  it('settles an operation on the server: it is sent again as new, also where no ledger is kept', async () => {
    const made = harness()
    const socket = await made.open({ features: [], heartbeat: 0 })
    const call = watch(made.client.calls.message.send({ n: 1 }))
    socket.receive([19, 1, 'OVERLOADED', null, 1000])
    await made.clock.advance(1000)
    expect(socket.of(2).map((frame) => frame[5])).toEqual(Array(2).fill([expect.any(String), 1, 1, false]))
    socket.receive([18, 2, 'done'])
    await settled()
    expect(call.value).toBe('done')
  })

  it('says nothing about the time an operation was sent before', async () => {
    const made = harness()
    const socket = await made.open({ heartbeat: 0 })
    void made.client.calls.message.send({ n: 1 })
    socket.end(1006)
    await redial(made)
    made.socket.receive(welcome({ heartbeat: 0 }), [19, 1, 'OVERLOADED', null, 1000])
    await made.clock.advance(1000)
    expect(made.socket.of(2).map((frame) => frame[5])).toEqual(
      Array(2).fill([expect.any(String), 1, 1, true]),
    )
  })

  it('goes on after a reconnect', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.calls.list({ n: 1 })
    socket.receive([19, 1, 'UNAVAILABLE', null, 60_000])
    socket.end(1006)
    await redial(made)
    made.socket.receive(welcome({ heartbeat: 0 }))
    expect(made.socket.of(2)).toEqual([])
    await made.clock.advance(60_000)
    expect(made.socket.of(2).length).toBe(1)
  })
})

describe('size', () => {
  it('above the limit of the server fails with TOO_LARGE and is not sent', async () => {
    const made = harness()
    const socket = await made.open({ bytes: 200 })
    const large = watch(made.client.calls.list({ text: '€'.repeat(70) }))
    const small = watch(made.client.calls.list({ text: '€'.repeat(20) }))
    await settled()
    expect(large).toEqual(rejected('TOO_LARGE'))
    expect(small.state).toBe('pending')
    expect(socket.of(2).length).toBe(1)
  })

  it('is checked against the server that is connected, not the one before', async () => {
    const made = harness()
    const call = watch(made.client.calls.list({ text: 'x'.repeat(70_000) }))
    await settled()
    made.socket.open()
    expect(made.socket.of(2)).toEqual([])
    made.socket.receive(welcome({ bytes: 80_000 }))
    expect(made.socket.of(2).length).toBe(1)
    made.socket.end(1006)
    await redial(made)
    made.socket.receive(welcome({ bytes: 65_536 }))
    await settled()
    expect(call).toEqual(rejected('TOO_LARGE'))
  })
})
