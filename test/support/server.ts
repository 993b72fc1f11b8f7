/** A Fastify app that serves a small contract on a free port of the loopback, for tests of the server. */
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { call, defineContract, event, room, Type } from '../../contract/index.js'
import {
  type AckordOptions,
  ackord,
  type Identity,
  type Limits,
  type NamespaceOptions,
  namespace,
} from '../../plugins/index.js'
import { type ConnectOptions, connect, type RawClient } from './raw-client.js'

const Message = Type.Object({ id: Type.String(), text: Type.String() }, { $id: 'Message' })

/** Small, with one of everything. */
export const contract = defineContract({
  name: 'test',
  version: '1.0.0',
  calls: {
    echo: call({
      input: Type.Object({ text: Type.String({ maxLength: 1000 }) }),
      ack: Type.Object({ text: Type.String() }),
      errors: { TEAPOT: Type.Object({ ounces: Type.Integer() }) },
    }),
    wait: call({ input: Type.Object({ name: Type.String() }), ack: Type.Null() }),
    nudge: call({ input: Type.Object({ name: Type.String() }), delivery: 'volatile' }),
  },
  events: {
    notice: event({ payload: Message }),
    offer: event({
      payload: Type.Object({ id: Type.String() }),
      ack: Type.Object({ accepted: Type.Boolean() }),
    }),
  },
  rooms: {
    channel: room({
      params: Type.Object({ id: Type.String(), lang: Type.Optional(Type.String()) }),
      events: {
        posted: event({ payload: Message, delivery: 'recoverable' }),
        typing: event({ payload: Type.Object({ user: Type.String() }) }),
        price: event({
          payload: Type.Object({ symbol: Type.String(), value: Type.Number() }),
          delivery: 'latest',
          key: 'symbol',
        }),
      },
      history: { messages: 100, seconds: 60 },
    }),
  },
})

/** What a test can see and steer from inside. */
export class Probe {
  /** What happened, in order: handlers and hooks push here. */
  readonly log: string[] = []
  readonly #open = new Map<string, () => void>()
  readonly signals = new Map<string, AbortSignal>()

  /** Ends the `wait` call of that name. */
  release(name: string): void {
    this.#open.get(name)?.()
    this.#open.delete(name)
  }

  hold(name: string, signal: AbortSignal): Promise<void> {
    this.signals.set(name, signal)
    return new Promise((resolve) => this.#open.set(name, resolve))
  }
}

/** Options of `startServer`. */
export interface ServerOptions extends AckordOptions {
  /** Registered before ackord. */
  readonly before?: (app: FastifyInstance) => Promise<void> | void
  /** Registered after the namespace. */
  readonly after?: (app: FastifyInstance) => Promise<void> | void
  /** How often calls may be made. Default: no limits. */
  readonly limits?: Limits<typeof contract>
  /** Options of the namespace; default: the token of everybody is their name, and `bad` is refused. */
  readonly namespace?: LiveOptions
}

/** Who connects to the small contract. */
export interface Member extends Identity {
  readonly role: 'member'
}

type LiveOptions = Omit<NamespaceOptions<Member, undefined>, 'path'>

const byName: LiveOptions = {
  authenticate: ({ token }) => (token === 'bad' ? null : { id: token, role: 'member' }),
}

/** The small contract at a path. The token of everybody is their name unless told otherwise; `bad` is refused. */
export const makeLive = (path = '/live', options = byName) => namespace(contract, { path, ...options })

/** Everything a test needs of a running server. */
export type TestServer = Awaited<ReturnType<typeof startServer>>

/** Starts the app; it ends with the test. */
export async function startServer({
  before,
  after,
  namespace: liveOptions,
  limits,
  ...options
}: ServerOptions = {}) {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const app = Fastify({ logger: { level: 'debug', stream }, forceCloseConnections: true })
  const probe = new Probe()
  const live = makeLive('/live', liveOptions)
  await before?.(app)
  // Tests share the loop with their clients, and a busy machine is no fault.
  await app.register(ackord, { grace: 500, maxLag: 60_000, ...options })
  await app.register(
    live.plugin({
      ...(limits !== undefined && { limits }),
      calls: {
        echo: ({ text }, { fail }) => {
          probe.log.push(`echo ${text}`)
          if (text === 'teapot') fail('TEAPOT', { ounces: 8 })
          if (text === 'throw') throw new Error('a secret of the server')
          return { text, undeclared: 'stays here' }
        },
        wait: async ({ name }, { signal }) => {
          probe.log.push(`wait ${name}`)
          await probe.hold(name, signal)
          return null
        },
        nudge: ({ name }) => {
          probe.log.push(`nudge ${name}`)
        },
      },
      rooms: {
        channel: {
          join: ({ id }) => {
            if (id === 'broken') throw new Error('a secret of the room')
            return id !== 'closed'
          },
        },
      },
    }),
    { prefix: '/v1' },
  )
  await after?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const url = `ws://127.0.0.1:${port}/v1/live`

  let sessions = 0
  return {
    app,
    live: app.ackord(live),
    gateway: app.ackordGateway.gateway,
    probe,
    port,
    url,
    /** What was logged, parsed. */
    lines,
    /** A bare connection. */
    connect: (connectOptions?: ConnectOptions) => connect(url, connectOptions),
    /** A connection that has said HELLO as `user` and got WELCOME. */
    async enter(user: string, session = `s${++sessions}`): Promise<RawClient> {
      const client = await connect(url)
      client.send([1, session, contract.hash, '1.0.0', [], user])
      await client.next(17)
      return client
    },
  }
}
