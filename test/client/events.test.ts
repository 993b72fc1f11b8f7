import { describe, expect, it } from 'vitest'
import { harness, settled } from './support/harness.js'

describe('events.on', () => {
  it('tells every listener, also one that was added twice, until it stops', async () => {
    const made = harness()
    const socket = await made.open()
    const seen: string[] = []
    const listener = (news: string) => seen.push(news)
    const stop = made.client.events.on('news', listener)
    made.client.events.on('news', listener)
    socket.receive([21, 'news', 'a'], [21, 'other', 'x'])
    stop()
    stop()
    socket.receive([21, 'news', 'b'])
    expect(seen).toEqual(['a', 'a', 'b'])
  })

  it('reports a listener that throws or rejects, and tells the others', async () => {
    const made = harness()
    const socket = await made.open()
    const seen: string[] = []
    made.client.events.on('news', () => {
      throw new Error('first')
    })
    made.client.events.on('news', async () => {
      throw new Error('second')
    })
    made.client.events.on('news', (news) => seen.push(news))
    socket.receive([21, 'news', 'a'])
    await settled()
    expect(seen).toEqual(['a'])
    expect(made.errors).toEqual([new Error('first'), new Error('second')])
  })

  it('does not tell a listener that an earlier one removed, nor one that it added', async () => {
    const made = harness()
    const socket = await made.open()
    const seen: string[] = []
    made.client.events.on('news', () => {
      stop()
      made.client.events.on('news', () => seen.push('added'))
    })
    const stop = made.client.events.on('news', () => seen.push('removed'))
    socket.receive([21, 'news', 'a'])
    expect(seen).toEqual([])
    socket.receive([21, 'news', 'b'])
    expect(seen).toEqual(['added'])
  })
})

describe('events.handle', () => {
  it('answers with what its handler returns, at once or later', async () => {
    const made = harness()
    const socket = await made.open()
    const offers: string[] = []
    made.client.events.handle('order.offered', ({ id }) => {
      offers.push(id)
      return id === 'a' ? { accepted: true } : Promise.resolve({ accepted: false })
    })
    socket.receive([21, 'order.offered', { id: 'a' }, 7], [21, 'order.offered', { id: 'b' }, 8])
    await settled()
    expect(offers).toEqual(['a', 'b'])
    expect(socket.of(5)).toEqual([
      [5, 7, { accepted: true }],
      [5, 8, { accepted: false }],
    ])
  })

  it('answers NO_HANDLER where there is none, and listeners are told all the same', async () => {
    const made = harness()
    const socket = await made.open()
    const seen: unknown[] = []
    made.client.events.on('order.offered', (offer) => seen.push(offer))
    socket.receive([21, 'order.offered', { id: 'a' }, 7], [21, 'constructor', null, 8])
    await settled()
    expect(socket.of(5)).toEqual([
      [5, 7, null, 'NO_HANDLER'],
      [5, 8, null, 'NO_HANDLER'],
    ])
    expect(seen).toEqual([{ id: 'a' }])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['returns what JSON cannot carry', () => ({ accepted: 1n }) as never],
    ['returns more than the server takes', () => ({ accepted: 'x'.repeat(70_000) }) as never],
  ] satisfies [string, () => { accepted: boolean } | Promise<{ accepted: boolean }>][])(
    'answers FAILED where its handler %s, and reports it',
    async (_, handler) => {
      const made = harness()
      const socket = await made.open()
      made.client.events.handle('order.offered', handler)
      socket.receive([21, 'order.offered', { id: 'a' }, 7])
      await settled()
      expect(socket.of(5)).toEqual([[5, 7, null, 'FAILED']])
      expect(made.errors.length).toBe(1)
    },
  )

  it('takes one handler a name, and another when that one has stopped', async () => {
    const made = harness()
    const socket = await made.open()
    const stop = made.client.events.handle('order.offered', () => ({ accepted: true }))
    expect(() => made.client.events.handle('order.offered', () => ({ accepted: false }))).toThrow(
      'order.offered',
    )
    stop()
    made.client.events.handle('order.offered', () => ({ accepted: false }))
    stop()
    socket.receive([21, 'order.offered', { id: 'a' }, 7])
    await settled()
    expect(socket.of(5)).toEqual([[5, 7, { accepted: false }]])
  })

  it('does not answer on another connection: its numbers mean something else there', async () => {
    const made = harness()
    const first = await made.open()
    let answer = (_: { accepted: boolean }): void => {}
    made.client.events.handle('order.offered', () => new Promise((resolve) => (answer = resolve)))
    first.receive([21, 'order.offered', { id: 'a' }, 7])
    first.end(1006)
    const second = await made.open()
    answer({ accepted: true })
    await settled()
    expect([...first.of(5), ...second.of(5)]).toEqual([])
    expect(made.errors).toEqual([])
  })
})

describe('an error that is reported', () => {
  it('reaches onError after the turn, so that it may close the client', async () => {
    const made = harness({ onError: () => made.client.close() })
    const socket = await made.open()
    const seen: string[] = []
    made.client.events.on('news', () => {
      throw new Error('no')
    })
    made.client.events.on('news', (news) => seen.push(`${news} ${made.client.connection.state}`))
    socket.receive([21, 'news', 'a'])
    expect(seen).toEqual(['a open'])
    await settled()
    expect(made.client.connection.state).toBe('closing')
  })
})
