/** What `ackord generate` makes of a contract that has recoverable events and nothing else, on two nodes of one Redis. */
import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import type { ClientOptions, GapReason, JoinOptions, Position, PublicationInfo } from '../../client/index.js'
import { createNetwork } from '../../client/testing/index.js'
import { defineContract, event, Type } from '../../contract/index.js'
import ackord, { namespace } from '../../plugins/index.js'
import { generated } from '../integration/support.js'
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const contract = defineContract({
  name: 'mail',
  version: '1.0.0',
  events: {
    arrived: event({ payload: Type.String(), delivery: 'recoverable' }),
    read: event({ payload: Type.String(), delivery: 'recoverable' }),
    typing: event({ payload: Type.String() }),
  },
  inbox: { messages: 20, seconds: 600 },
})

/** A generated client, as far as these tests use it. */
interface Mail {
  readonly events: {
    on(name: string, listener: (payload: string, info: PublicationInfo) => void): () => void
    onGap(listener: (reason: GapReason) => void | Promise<void>): () => void
  }
  readonly connection: { connect(): void; get(): { readonly state: string; readonly degraded: boolean } }
  close(): void
}

async function start(redis: TestRedis) {
  const app = Fastify()
  onTestFinished(() => app.close())
  const live = namespace(contract, {
    path: '/mail',
    authenticate: ({ token }) => ({ id: token }),
  })
  await app.register(ackord, { redis: await redis.connect(), grace: 100, maxLag: 60_000 })
  await app.register(live.plugin({}))
  await app.ready()
  return { app, live: app.ackord(live), gateway: app.ackordGateway.gateway }
}

/** Two nodes, and pages that go to either. */
async function startTwo() {
  const redis = await startRedis()
  const [a, b] = [await start(redis), await start(redis)]
  const module = await generated(contract)
  const createMail = module.createMail as (url: string, options: ClientOptions) => Mail
  const send = async (text: string): Promise<Position> => b.live.user('ada').send('arrived', text)
  const joined = (node: typeof a) => until(() => [...node.live.connections()].some(isIn))
  /** A page of ada's, on `node` at first. */
  async function open(node: typeof a, inbox?: JoinOptions) {
    const network = await createNetwork(node.app)
    const mail = createMail('ws://test/mail', {
      token: () => 'ada',
      WebSocket: network.WebSocket,
      fetch: network.fetch,
      backoff: { base: 1, max: 10 },
      ...(inbox && { inbox }),
    })
    onTestFinished(() => mail.close())
    const log: string[] = []
    const positions: Position[] = []
    mail.events.onGap((reason) => void log.push(`gap ${reason}`))
    for (const name of ['arrived', 'read'])
      mail.events.on(name, (text, { position, recovered }) => {
        log.push(recovered ? `${text} recovered` : text)
        if (position !== undefined) positions.push(position)
      })
    return { network, mail, log, positions }
  }
  return { redis, a, b, send, open, joined }
}

const isIn = ({ rooms }: { readonly rooms: readonly string[] }): boolean => rooms.length === 1

const texts = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`)

describeWithRedis('a generated client with an inbox', () => {
  it('goes on where it stood when it comes back to another node, in order and once', async () => {
    const { a, b, send, open, joined } = await startTwo()
    const { network, log, positions } = await open(a)
    await joined(a)
    await send('1')
    await until(() => log.length === 1)
    network.cut()
    await send('2')
    await b.live.user('ada').send('read', '3')
    await network.moveTo(b.app)
    network.restore()
    await joined(b)
    await send('4')
    await until(() => log.includes('4'))
    expect(log).toEqual(['1', '2 recovered', '3 recovered', '4'])
    expect(positions.map(({ offset }) => offset)).toEqual([1, 2, 3, 4])
  })

  it('starts a new page where it is told, on any node', async () => {
    const { a, b, send, open } = await startTwo()
    const sent: Position[] = []
    for (const text of texts(1, 5)) sent.push(await send(text))
    const since = sent[2]
    if (since === undefined) throw new Error('nothing was sent')
    const starts: ReadonlyArray<readonly [JoinOptions | undefined, readonly string[]]> = [
      [undefined, []],
      [{ since }, ['4 recovered', '5 recovered']],
      [{ last: 3 }, ['3 recovered', '4 recovered', '5 recovered']],
      [{ since, last: 1 }, ['4 recovered', '5 recovered']],
      [{ since: { ...since, tag: since.tag + 1 }, last: 2 }, ['gap forked', '4 recovered', '5 recovered']],
      [{ since: { ...since, offset: 99 } }, ['gap forked']],
      [{ since: { ...since, epoch: 'another' } }, ['gap epoch']],
      [{ last: 0 }, []],
    ]
    const pages: Array<Awaited<ReturnType<typeof open>>> = []
    for (const [index, [inbox]] of starts.entries()) pages.push(await open(index % 2 === 0 ? a : b, inbox))
    const members = () => [a, b].map(({ live }) => [...live.connections()].filter(isIn).length)
    await until(() => members().every((count) => count === starts.length / 2))
    await send('6')
    await until(() => pages.every(({ log }) => log.includes('6')))
    expect(pages.map(({ log }) => log)).toEqual(starts.map(([, heard]) => [...heard, '6']))
  })

  it('is told of what is not kept any more before anything else, and waits until that is dealt with', async () => {
    const { a, b, send, open, joined } = await startTwo()
    const { network, mail, log } = await open(a)
    let dealtWith = (): void => {}
    mail.events.onGap(
      () =>
        new Promise<void>((resolve) => {
          dealtWith = resolve
        }),
    )
    await joined(a)
    await send('1')
    await until(() => log.length === 1)
    network.cut()
    for (const text of texts(2, 30)) await send(text)
    await network.moveTo(b.app)
    network.restore()
    await until(() => log.length > 1)
    await send('31')
    await send('32')
    await joined(b)
    expect(log).toEqual(['1', 'gap trimmed'])
    dealtWith()
    await until(() => log.includes('32'))
    expect(log).toEqual(['1', 'gap trimmed', '31', '32'])
  })

  it('is told that Redis has forgotten it, joined or away, and goes on', async () => {
    const { redis, a, b, send, open, joined } = await startTwo()
    const { log, network } = await open(a)
    await joined(a)
    await send('1')
    await until(() => log.length === 1)
    const client = await redis.connect()
    await client.flushall()
    await send('lost')
    await until(() => log.length > 1)
    await send('2')
    await until(() => log.includes('2'))
    network.cut()
    await client.flushall()
    await network.moveTo(b.app)
    network.restore()
    await joined(b)
    await send('3')
    await until(() => log.includes('3'))
    expect(log).toEqual(['1', 'gap epoch', '2', 'gap epoch', '3'])
  })

  it('joins once Redis is back where it was away at first, and then misses nothing', async () => {
    const { redis, a, send, open, joined } = await startTwo()
    await redis.kill()
    await until(() => a.gateway.degraded.is)
    const { log, mail } = await open(a)
    await until(() => mail.connection.get().degraded)
    await redis.start()
    await joined(a)
    await until(() =>
      send('1').then(
        () => true,
        () => false,
      ),
    )
    await until(() => log.includes('1'))
    expect(log.filter((line) => line.startsWith('gap'))).toEqual([])
  })
})
