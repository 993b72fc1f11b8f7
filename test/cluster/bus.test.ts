import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MAX_ASKS_PER_NODE, UNREAD_BYTES } from '../../plugins/cluster/cluster.js'
import { all, network, told } from './support/network.js'

async function* count(to: number): AsyncGenerator<number> {
  for (let i = 1; i <= to; i++) yield i
}

/** Never gives anything; how often it was ended. */
function waiting() {
  const ended: string[] = []
  const handler = (_body: unknown, from: string, signal: AbortSignal): AsyncIterableIterator<unknown> => {
    let end: (() => void) | undefined
    signal.addEventListener('abort', () => ended.push(`aborted ${from}`))
    return {
      next: () =>
        new Promise((resolve) => {
          end = () => resolve({ done: true, value: undefined })
        }),
      async return() {
        ended.push(`returned ${from}`)
        end?.()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }
  return { ended, handler }
}

describe('a question', () => {
  it('is answered by all nodes, each in its order', async () => {
    const { nodes, node, sent } = network(['a', 'b', 'c'])
    for (const [name, { handlers }] of nodes)
      handlers.add('count', (body) => (name === 'b' ? count(Number(body)) : name))
    const answers = await all(node('a').bus.ask('count', 3, { timeout: 1000 }))
    expect(answers.sort()).toEqual(['a "a"', 'b 1', 'b 2', 'b 3', 'c "c"'])
    // The values of one turn leave together.
    expect(sent.filter(({ message }) => message.type === 'values')).toHaveLength(2)
  })

  it('goes to those it names; of one that is not alive nothing is awaited', async () => {
    const { nodes, node } = network(['a', 'b', 'c'])
    for (const [name, { handlers }] of nodes) handlers.add('who', () => name)
    const { bus } = node('a')
    const ask = async (nodes: readonly string[] | 'others') =>
      (await all(bus.ask('who', null, { timeout: 1000, nodes }))).sort()
    expect(await ask(['c', 'gone'])).toEqual(['c "c"', 'gone nodeLost'])
    expect(await ask(['a'])).toEqual(['a "a"'])
    expect(await ask('others')).toEqual(['b "b"', 'c "c"'])
    expect(await ask([])).toEqual([])
  })

  it('of a kind that a node does not know, or that has nothing to say, has no answer of it', async () => {
    const { node, errors } = network(['a', 'b'])
    node('a').handlers.add('new', () => undefined)
    expect(await all(node('a').bus.ask('new', null, { timeout: 1000 }))).toEqual([])
    expect(errors).toEqual([])
  })

  it('ends with what was lost where a handler throws, and the others are heard', async () => {
    const { nodes, node, errors } = network(['a', 'b', 'c'])
    for (const [name, { handlers }] of nodes)
      handlers.add('who', async function* () {
        yield name
        if (name === 'b') throw new Error('a secret of b')
      })
    const answers = await all(node('a').bus.ask('who', null, { timeout: 1000 }))
    expect(answers.sort()).toEqual(['a "a"', 'b "b"', 'b failed', 'c "c"'])
    expect(errors).toEqual([expect.objectContaining({ message: 'a secret of b' })])
  })

  it('ends at its timeout, whatever the nodes do, and they are told', async () => {
    const { node, clock } = network(['a', 'b'])
    const [here, there] = [waiting(), waiting()]
    node('a').handlers.add('wait', here.handler)
    node('b').handlers.add('wait', there.handler)
    const answers = all(node('a').bus.ask('wait', null, { timeout: 1000 }))
    await setImmediate()
    clock.advance(999)
    expect([here.ended, there.ended]).toEqual([[], []])
    clock.advance(1)
    expect((await answers).sort()).toEqual(['a timeout', 'b timeout'])
    await setImmediate()
    expect(here.ended).toEqual(expect.arrayContaining(['aborted a', 'returned a']))
    expect(there.ended).toEqual(expect.arrayContaining(['aborted a', 'returned a']))
    expect(clock.pending).toBe(0)
  })

  it('is over on all nodes when its loop is left, or its signal aborts', async () => {
    for (const leave of ['break', 'abort', 'aborted before'] as const) {
      const { node, clock } = network(['a', 'b'])
      const there = waiting()
      node('a').handlers.add('wait', () => 1)
      node('b').handlers.add('wait', there.handler)
      const controller = new AbortController()
      if (leave === 'aborted before') controller.abort()
      const seen: string[] = []
      for await (const answer of node('a').bus.ask('wait', null, {
        timeout: 1000,
        signal: controller.signal,
      })) {
        seen.push(told(answer))
        if (leave === 'break') break
        controller.abort()
      }
      await setImmediate()
      expect(seen).toEqual(leave === 'aborted before' ? [] : ['a 1'])
      expect(there.ended.length > 0).toBe(leave !== 'aborted before')
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
      expect(clock.pending).toBe(0)
    }
  })

  it('is over on a node that never hears of its end, at its time', async () => {
    const { node, clock, state } = network(['a', 'b'])
    const there = waiting()
    node('b').handlers.add('wait', there.handler)
    state.fate = ({ type }) => (type === 'cancel' ? 'lose' : 'deliver')
    await node('a').bus.ask('wait', null, { timeout: 1000 }).return?.()
    await setImmediate()
    expect(there.ended).toEqual([])
    clock.advance(1000)
    expect(there.ended).toContain('aborted a')
    expect(clock.pending).toBe(0)
  })

  it('has a node that dies as nodeLost, what it had said included; and the dead node is served no more', async () => {
    const { node, clock } = network(['a', 'b'])
    const there = waiting()
    node('a').handlers.add('wait', there.handler)
    node('b').handlers.add('wait', async function* () {
      yield 1
      await new Promise(() => {})
    })
    const answers = all(node('a').bus.ask('wait', null, { timeout: 1000, nodes: 'others' }))
    const asked = all(node('b').bus.ask('wait', null, { timeout: 1000, nodes: ['a'] }))
    await setImmediate()
    await setImmediate()
    node('a').bus.lose('b')
    expect(await answers).toEqual(['b 1', 'b nodeLost'])
    expect(there.ended).toContain('aborted b')
    node('b').bus.close()
    expect(await asked).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('says so where a message was lost, at the next one', async () => {
    const { node, state } = network(['a', 'b'])
    node('b').handlers.add('count', () => count(2))
    state.fate = ({ type }) => (type === 'values' ? 'lose' : 'deliver')
    expect(await all(node('a').bus.ask('count', 0, { timeout: 1000 }))).toEqual(['b unavailable'])
  })

  it('is unavailable on other nodes while Redis is away, before, meanwhile, or where it cannot be sent', async () => {
    const { node, state } = network(['a', 'b'])
    node('a').handlers.add('who', () => 'a')
    node('b').handlers.add('who', () => new Promise(() => {}))
    const { bus } = node('a')
    const ask = () => all(bus.ask('who', null, { timeout: 1000 }))
    const expected = ['a "a"', 'b unavailable']
    const meanwhile = ask()
    await setImmediate()
    bus.interrupted()
    expect((await meanwhile).sort()).toEqual(expected)
    state.fate = () => 'fail'
    expect((await ask()).sort()).toEqual(expected)
    state.isUp = false
    expect((await ask()).sort()).toEqual(expected)
  })

  it('takes the answers of a node that was not known when it was asked', async () => {
    const { nodes, node } = network(['a', 'b', 'late'])
    let release = (): void => {}
    node('b').handlers.add(
      'who',
      () =>
        new Promise((resolve) => {
          release = () => resolve('b')
        }),
    )
    node('late').handlers.add('who', () => 'late')
    const late = node('late')
    nodes.delete('late')
    const answers = node('a').bus.ask('who', null, { timeout: 1000, nodes: 'others' })
    nodes.set('late', late)
    // As a broadcast reaches it.
    late.bus.receive(Buffer.from('{"type":"ask","from":"a","id":1,"kind":"who","ms":1000,"body":null}'))
    expect((await answers.next()).value).toEqual({ node: 'late', value: 'late' })
    release()
    expect(await all(answers)).toEqual(['b "b"'])
  })
})

describe('a bound', () => {
  it('of questions that one node serves another: one more is overloaded, and the rest go on', async () => {
    const { node, clock } = network(['a', 'b'])
    node('b').handlers.add('wait', () => new Promise(() => {}))
    const asked = Array.from({ length: MAX_ASKS_PER_NODE + 1 }, () =>
      node('a').bus.ask('wait', null, { timeout: 1000, nodes: 'others' }),
    )
    expect(await asked.at(-1)?.next()).toEqual({ done: false, value: { node: 'b', lost: 'overloaded' } })
    clock.advance(1000)
    expect(await asked[0]?.next()).toEqual({ done: false, value: { node: 'b', lost: 'timeout' } })
    expect(clock.pending).toBe(0)
  })

  it('of a message: a question or a word above 1 MiB is refused by its code', () => {
    const { node } = network(['a', 'b'])
    const large = 'é'.repeat(524_288)
    const refused = expect.objectContaining({ code: 'TOO_LARGE', retry: false })
    expect(() => node('a').bus.ask('who', large, { timeout: 1000 })).toThrow(refused)
    expect(() => node('a').bus.tell('who', large, undefined)).toThrow(refused)
    node('a').bus.tell('who', large.slice(0, 524_000), undefined)
  })

  it('of an answer: one above 1 MiB ends its node as failed', async () => {
    const { node, sent } = network(['a', 'b'])
    node('b').handlers.add('large', async function* () {
      yield 1
      yield 'x'.repeat(1_047_000)
      yield 'x'.repeat(1_048_576)
      yield 2
    })
    const answers = await all(node('a').bus.ask('large', null, { timeout: 1000 }))
    expect(answers.map((answer) => answer.length)).toEqual(['b 1'.length, 1_047_004, 'b failed'.length])
    for (const { bytes } of sent) expect(bytes).toBeLessThanOrEqual(1_048_576)
  })

  it('of an answer: what stands beside its value has a place too', async () => {
    const { node } = network(['a', 'b'])
    node('b').handlers.add('large', () => '語'.repeat(349_520))
    expect(await all(node('a').bus.ask('large', null, { timeout: 1000 }))).toEqual(['b failed'])
  })

  it.each([2 ** 31, Number.POSITIVE_INFINITY])(
    'of its time: one of %s ms has 300,000 on every node, which a timer can wait for',
    async (timeout) => {
      const { node, sent } = network(['a', 'b'])
      node('b').handlers.add('count', () => count(2))
      expect(await all(node('a').bus.ask('count', null, { timeout }))).toEqual(['b 1', 'b 2'])
      expect(sent[0]?.message).toMatchObject({ type: 'ask', ms: 300_000 })
    },
  )

  it('of answers that nobody reads: beyond 16 MiB their node is overloaded and stops', async () => {
    const { node, sent } = network(['a', 'b'])
    let made = 0
    node('b').handlers.add('flood', async function* () {
      for (;;) {
        made++
        yield 'x'.repeat(500_000)
        await setImmediate()
      }
    })
    const answers = node('a').bus.ask('flood', null, { timeout: 1000 })
    while (!sent.some(({ message }) => message.type === 'cancel')) await setImmediate()
    const list = await all(answers)
    expect(list.at(-1)).toBe('b overloaded')
    expect((list.length - 1) * 500_000).toBeLessThanOrEqual(UNREAD_BYTES)
    const then = made
    for (let i = 0; i < 10; i++) await setImmediate()
    expect(made - then).toBeLessThanOrEqual(1)
  })
})

describe('a word', () => {
  it('reaches one node, or all others', async () => {
    const { nodes, node } = network(['a', 'b', 'c'])
    const heard: string[] = []
    for (const [name, { handlers }] of nodes)
      handlers.add('say', (body, from) => heard.push(`${name} ${body} ${from}`))
    node('a').bus.tell('say', 1, undefined)
    node('a').bus.tell('say', 2, 'c')
    node('a').bus.tell('say', 3, 'a')
    await setImmediate()
    expect(heard).toEqual(['b 1 a', 'c 1 a', 'c 2 a', 'a 3 a'])
  })

  it('that makes no sense is ignored, and so is one of a kind that a later version has', () => {
    const { node, errors, clock } = network(['a', 'b'])
    const { bus } = node('a')
    const odd = [
      '',
      'x',
      'null',
      '[]',
      '{}',
      '{"type":"tell","from":"b"}',
      '{"type":"tell","from":"","kind":"say"}',
      '{"type":"tell","from":"b","kind":"later","body":1}',
      '{"type":"sing","from":"b","id":1,"at":0}',
      '{"type":"ask","from":"b","id":1}',
      '{"type":"ask","from":"b","id":-1,"kind":"say","ms":5}',
      '{"type":"ask","from":"b","id":1,"kind":"say","ms":"x"}',
      '{"type":"values","from":"b","id":1,"at":0,"values":{}}',
      '{"type":"values","from":"b","id":99,"at":0,"values":[1]}',
      '{"type":"end","from":"b","id":99,"at":0,"lost":"bored"}',
      '{"type":"cancel","from":"b","id":99}',
      '{"type":"cancel","from":7,"id":99}',
      `{"type":"tell","from":"b","kind":"say","body":"${'x'.repeat(1_048_576)}"}`,
    ]
    for (const text of odd) bus.receive(Buffer.from(text))
    expect([errors, clock.pending]).toEqual([[], 0])
  })
})
