import { describe, expect, it } from 'vitest'
import { harness, settled, watch, welcome } from './support/harness.js'

describe('the outbox', () => {
  it('shows queued calls in their order, and which of them are on their way', async () => {
    const made = harness({ outbox: { entries: 10 } })
    await made.clock.advance(1234)
    void made.client.calls.message.send({ text: 'a' })
    void made.client.calls.list({ n: 2 })
    void made.client.calls.get({ n: 3 }).catch(() => {})
    const at = 1_700_000_001_234
    const entry = (id: string, call: string, input: unknown, sent: boolean) => ({ id, call, input, at, sent })
    expect(made.client.outbox.entries()).toEqual([
      entry('1', 'message.send', { text: 'a' }, false),
      entry('2', 'list', { n: 2 }, false),
    ])
    expect(made.client.outbox.size).toBe(2)
    await settled()
    made.socket.open()
    made.socket.receive(welcome(), [18, 2, null])
    expect(made.client.outbox.entries()).toEqual([entry('1', 'message.send', { text: 'a' }, true)])
    made.socket.end(1006)
    expect(made.client.outbox.entries()).toEqual([entry('1', 'message.send', { text: 'a' }, false)])
  })

  it('gives the same array until something changes', async () => {
    const made = harness()
    const { outbox, calls } = made.client
    expect(outbox.entries()).toBe(outbox.entries())
    const empty = outbox.entries()
    void calls.list({})
    const one = outbox.entries()
    expect(one).not.toBe(empty)
    expect(outbox.entries()).toBe(one)
  })

  it('tells subscribers once a turn', async () => {
    const made = harness()
    const { outbox, calls } = made.client
    const sizes: number[] = []
    const stop = outbox.subscribe(() => sizes.push(outbox.size))
    for (let n = 0; n < 100; n++) void calls.list.result({ n })
    await settled()
    expect(sizes).toEqual([100])
    outbox.clear()
    await settled()
    expect(sizes).toEqual([100, 0])
    stop()
    void calls.list.result({})
    await settled()
    expect(sizes).toEqual([100, 0])
  })

  it('is bounded: one call more fails with QUEUE_FULL, and the others stay', async () => {
    const made = harness({ outbox: { entries: 2 } })
    const { calls, outbox } = made.client
    const kept = [watch(calls.list({ n: 1 })), watch(calls.message.send({ n: 2 }))]
    const [repeat, attempt] = [watch(calls.list({ n: 3 })), watch(calls.get({ n: 4 }))]
    await settled()
    for (const call of [repeat, attempt]) {
      expect(call).toMatchObject({ state: 'rejected', error: { code: 'QUEUE_FULL', retry: true } })
    }
    expect(kept.map((call) => call.state)).toEqual(['pending', 'pending'])
    expect(outbox.size).toBe(2)
    outbox.cancel('1')
    expect(watch(calls.list({ n: 5 })).state).toBe('pending')
    expect(outbox.entries().map((entry) => entry.input)).toEqual([{ n: 2 }, { n: 5 }])
  })

  it('takes one back by its id, once', async () => {
    const made = harness()
    const call = watch(made.client.calls.message.send({ n: 1 }))
    const other = watch(made.client.calls.message.send({ n: 2 }))
    expect(made.client.outbox.cancel('1')).toBe(true)
    expect(made.client.outbox.cancel('1')).toBe(false)
    expect(made.client.outbox.cancel('no such id')).toBe(false)
    await settled()
    expect(call).toMatchObject({ state: 'rejected', error: { code: 'CANCELLED' } })
    expect(other.state).toBe('pending')
    const socket = await made.open()
    // The number stays a hole: the lowest that has not settled is now the second.
    expect(socket.of(2).map((frame) => frame[5])).toEqual([[expect.any(String), 2, 2, false]])
  })

  it('takes one in flight back by telling the server', async () => {
    const made = harness()
    const socket = await made.open()
    void made.client.calls.list.result({})
    made.client.outbox.cancel('1')
    expect(socket.of(3)).toEqual([[3, 1]])
  })

  it('cannot take back what it does not show', async () => {
    const made = harness()
    const call = watch(made.client.calls.get({}))
    expect(made.client.outbox.cancel('1')).toBe(false)
    made.client.outbox.clear()
    await settled()
    expect(call.state).toBe('pending')
  })

  it('may be cleared by its own subscriber', async () => {
    const made = harness()
    const { outbox, calls } = made.client
    outbox.subscribe(() => outbox.clear())
    const seen = [1, 2, 3].map((n) => watch(calls.list({ n })))
    await settled()
    await settled()
    expect(seen.map((call) => call.state)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(outbox.size).toBe(0)
  })
})
