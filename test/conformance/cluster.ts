/** What every cluster must do for one node, whoever else there is. A cluster's own test file calls `clusterConformance`. */
import { describe, expect, it } from 'vitest'
import type { Cluster, ClusterAnswer } from '../../plugins/cluster/cluster.js'

/** A node under test, with nobody beside it, made anew for each test. */
export interface ClusterSetup {
  readonly cluster: Cluster
  /** What its counts say. */
  readonly counts: Record<string, number>
  /** What it reported of handlers that threw. */
  readonly errors: unknown[]
}

async function all(answers: AsyncIterable<ClusterAnswer>): Promise<unknown[]> {
  const list: unknown[] = []
  for await (const { node: _node, ...answer } of answers) list.push(answer)
  return list
}

/** Declares the suite. `name` appears in the titles. */
export function clusterConformance(name: string, make: () => Promise<ClusterSetup>): void {
  describe(`cluster: ${name}`, () => {
    it('is alive itself, in its own generation, with its counts as they are now', async () => {
      const { cluster, counts } = await make()
      counts['/live'] = 3
      expect(cluster.nodes()).toEqual([{ id: cluster.node, counts: { '/live': 3 } }])
      expect([cluster.generation, cluster.isAlive(cluster.node), cluster.isAlive('nobody')]).toEqual([
        1,
        true,
        false,
      ])
      expect([cluster.isAlive(cluster.node, 1), cluster.isAlive(cluster.node, 0)]).toEqual([true, false])
    })

    it('runs a handler within the call, and gives a value, a promise, many values or none', async () => {
      const { cluster } = await make()
      const ran: unknown[] = []
      cluster.handle('value', (body, from) => {
        ran.push(body)
        return from === cluster.node
      })
      cluster.handle('promise', async (body) => body)
      cluster.handle('many', async function* () {
        yield 1
        yield undefined
        yield 3
      })
      cluster.handle('none', () => undefined)
      const bytes = new Uint8Array([1])
      const answers = cluster.ask('value', bytes, { timeout: 60_000 })
      expect(ran).toEqual([bytes])
      expect(await all(answers)).toEqual([{ value: true }])
      expect(await all(cluster.ask('promise', bytes, { timeout: 60_000 }))).toEqual([{ value: bytes }])
      const many = await all(cluster.ask('many', null, { timeout: 60_000 }))
      expect(many).toEqual([{ value: 1 }, { value: undefined }, { value: 3 }])
      expect(await all(cluster.ask('none', null, { timeout: 60_000 }))).toEqual([])
      expect(await all(cluster.ask('unknown', null, { timeout: 60_000 }))).toEqual([])
    })

    it('asks whom it is told to', async () => {
      const { cluster } = await make()
      cluster.handle('who', () => 'here')
      const ask = (nodes: readonly string[] | 'others') =>
        all(cluster.ask('who', null, { timeout: 60_000, nodes }))
      expect(await ask([cluster.node, cluster.node])).toEqual([{ value: 'here' }])
      expect(await ask(['gone'])).toEqual([{ lost: 'nodeLost' }])
      expect([await ask('others'), await ask([])]).toEqual([[], []])
    })

    it('says failed where a handler throws, at once or later, and reports it', async () => {
      const { cluster, errors } = await make()
      cluster.handle('at once', () => {
        throw new Error('at once')
      })
      cluster.handle('later', async function* () {
        yield 1
        throw new Error('later')
      })
      expect(await all(cluster.ask('at once', null, { timeout: 60_000 }))).toEqual([{ lost: 'failed' }])
      expect(await all(cluster.ask('later', null, { timeout: 60_000 }))).toEqual([
        { value: 1 },
        { lost: 'failed' },
      ])
      expect(errors.map(String)).toEqual(['Error: at once', 'Error: later'])
    })

    it('ends a question at its timeout, by its signal, when its loop is left, and when it closes', async () => {
      const { cluster } = await make()
      let aborted = 0
      cluster.handle('never', (_body, _from, signal) => {
        signal.addEventListener('abort', () => aborted++)
        return new Promise(() => {})
      })
      expect(await all(cluster.ask('never', null, { timeout: 1 }))).toEqual([{ lost: 'timeout' }])
      const controller = new AbortController()
      const signalled = all(cluster.ask('never', null, { timeout: 60_000, signal: controller.signal }))
      controller.abort()
      expect(await signalled).toEqual([])
      const left = cluster.ask('never', null, { timeout: 60_000 })
      await left.return?.()
      expect(await left.next()).toEqual({ done: true, value: undefined })
      const closed = all(cluster.ask('never', null, { timeout: 60_000 }))
      await cluster.close()
      expect(await closed).toEqual([])
      expect(aborted).toBe(4)
      await cluster.close()
      expect(await all(cluster.ask('never', null, { timeout: 60_000 }))).toEqual([])
    })

    it('tells itself where it is named, and nobody where there are no others', async () => {
      const { cluster, errors } = await make()
      const heard: unknown[] = []
      cluster.handle('say', (body) => {
        heard.push(body)
        if (body === 3) throw new Error('three')
      })
      cluster.tell('say', 1)
      cluster.tell('say', 2, cluster.node)
      cluster.tell('say', 3, cluster.node)
      cluster.tell('unknown', 4, cluster.node)
      expect(heard).toEqual([2, 3])
      await all(cluster.ask('unknown', null, { timeout: 60_000 }))
      expect(errors.map(String)).toEqual(['Error: three'])
    })

    it('takes one handler of a kind', async () => {
      const { cluster } = await make()
      cluster.handle('who', () => 1)
      expect(() => cluster.handle('who', () => 2)).toThrow('handled already')
    })

    it('refuses what is too large for others by its code, whether or not there are any', async () => {
      const { cluster } = await make()
      cluster.handle('who', () => 1)
      const refused = expect.objectContaining({ code: 'TOO_LARGE' })
      const large = 'x'.repeat(1_048_576)
      expect(() => cluster.ask('who', large, { timeout: 1 })).toThrow(refused)
      expect(() => cluster.tell('who', large)).toThrow(refused)
      expect(await all(cluster.ask('who', large, { timeout: 60_000, nodes: [cluster.node] }))).toEqual([
        { value: 1 },
      ])
    })
  })
}
