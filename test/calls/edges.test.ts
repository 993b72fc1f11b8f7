import Fastify from 'fastify'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, CallError, namespace } from '../../plugins/index.js'
import { connect } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

const contract = defineContract({
  name: 'edges',
  version: '1.0.0',
  calls: {
    act: call({
      input: Type.Object({ how: Type.String() }),
      ack: Type.String(),
      errors: { KNOWN: Type.Object({ n: Type.Integer() }) },
    }),
    tell: call({ input: Type.Object({}), delivery: 'volatile' }),
  },
})

async function start(
  act: (how: string, fail: (code: string, data: unknown) => never) => unknown,
  told = vi.fn(),
) {
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  const app = Fastify({ forceCloseConnections: true })
  await app.register(ackord, { grace: 300, maxBuffered: 131_072 })
  await app.register(
    live.plugin({
      calls: {
        act: async ({ how }, { fail }) => act(how, fail as never) as string,
        tell: (_input, context) => told(context),
      },
    }),
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const client = await connect(`ws://127.0.0.1:${(app.server.address() as { port: number }).port}/live`)
  client.send([1, 's', contract.hash, '1', []])
  await client.next(17)
  return { client, told }
}

describe('a handler may throw anything', () => {
  const odd = [Object.create(null), null, undefined, Symbol('s'), 7n, { toString: null }, () => 1]
  it.each(odd.map((thrown, i) => [i, thrown]))(
    'odd thing %i: INTERNAL, and the server lives',
    async (_i, thrown) => {
      const { client } = await start(() => {
        throw thrown
      })
      client.send([2, 1, 'act', { how: '' }])
      expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'INTERNAL'])
      client.send([2, 2, 'act', { how: '' }])
      expect((await client.next(19)).slice(0, 3)).toEqual([19, 2, 'INTERNAL'])
    },
  )
})

describe('what leaves with an error', () => {
  it.each([
    ['a code nobody declared', () => new CallError('SOME_CODE', { secret: 1 }), 'INTERNAL'],
    [
      'a declared code with data that does not fit',
      () => new CallError('KNOWN', { n: 'x', secret: 1 }),
      'INTERNAL',
    ],
    ['a code of the closed table with data', () => new CallError('FORBIDDEN', { secret: 1 }), 'FORBIDDEN'],
  ])('is nothing undeclared: %s', async (_title, error, code) => {
    const { client } = await start(() => {
      throw error()
    })
    client.send([2, 1, 'act', { how: '' }])
    const frame = await client.next(19)
    expect(frame[2]).toBe(code)
    expect(JSON.stringify(frame)).not.toContain('secret')
  })

  it('fail takes declared codes only', async () => {
    const { client } = await start((_how, fail) => fail('FORBIDDEN', { secret: 1 }))
    client.send([2, 1, 'act', { how: '' }])
    expect((await client.next(19))[2]).toBe('INTERNAL')
  })

  it('an ack that no connection can hold is INTERNAL, and not the end of the connection', async () => {
    const { client } = await start((how) => (how === 'big' ? 'x'.repeat(140_000) : 'small'))
    client.send([2, 1, 'act', { how: 'big' }])
    expect((await client.next(19))[2]).toBe('INTERNAL')
    client.send([2, 2, 'act', { how: '' }])
    expect(await client.next(18)).toEqual([18, 2, 'small'])
  })
})

describe('a call that is over', () => {
  it('does not reach its handler behind a hook that took its time', async () => {
    const waiting: Array<() => void> = []
    const { enter, probe } = await startServer({
      after: (app) =>
        app.ackordGateway.addHook('onCall', async (_call, next) => {
          await new Promise<void>((resolve) => waiting.push(resolve))
          return next()
        }),
    })
    const client = await enter('alice')
    client.send([2, 1, 'echo', { text: 'late' }])
    await until(() => waiting.length === 1)
    client.send([3, 1])
    expect((await client.next(19))[2]).toBe('CANCELLED')
    waiting[0]?.()
    client.send([2, 2, 'echo', { text: 'next' }])
    await until(() => waiting.length === 2)
    waiting[1]?.()
    await client.next(18)
    expect(probe.log).toEqual(['echo next'])
  })

  it('without an answer has an id of its own, and a signal that aborts with its connection', async () => {
    const told = vi.fn((context: { signal: AbortSignal; operationId: string }) => {
      void context.signal
      return new Promise(() => undefined)
    })
    const { client } = await start(() => '', told)
    client.send([2, 1, 'tell', {}])
    client.send([2, 2, 'tell', {}])
    await until(() => told.mock.calls.length === 2)
    const contexts = told.mock.calls.map(([context]) => context)
    expect(contexts[0]?.operationId).not.toBe(contexts[1]?.operationId)
    client.abort({ reset: true })
    await until(() => contexts.every(({ signal }) => signal.aborted))
  })
})

describe('asks', () => {
  it('leave nothing on the signal they were given, and let several wait for one round', async () => {
    const { enter, live } = await startServer()
    const client = await enter('alice')
    const controller = new AbortController()
    const added = vi.spyOn(controller.signal, 'addEventListener')
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    const round = live.all.askAll('offer', { id: '1' }, { signal: controller.signal })
    const both = [round.next(), round.next()]
    const [, , , ask] = await client.next(21)
    client.send([5, ask as number, { accepted: true }])
    expect((await Promise.all(both)).map(({ done }) => done)).toEqual([false, true])
    expect(removed.mock.calls.length).toBe(added.mock.calls.length)
  })
})
