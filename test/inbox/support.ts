/** A server whose contract has an inbox, alone or as a node on a Redis, for tests over the wire and with the shipped client. */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { type Client, type ClientOptions, createClient, inbox } from '../../client/index.js'
import { defineContract, event, room, Type } from '../../contract/index.js'
import { clusterOf } from '../../plugins/cluster/index.js'
import { type AckordOptions, ackord, namespace } from '../../plugins/index.js'
import { type ConnectOptions, connect, type RawClient } from '../support/raw-client.js'

const Note = Type.Object({ text: Type.String() })

/** Kept for a user: a hundred mentions. Said to who is there: notices. */
export const contract = defineContract({
  name: 'inbox',
  version: '1.0.0',
  events: {
    mention: event({ payload: Note, delivery: 'recoverable' }),
    notice: event({ payload: Note }),
    offer: event({ payload: Note, ack: Type.Boolean() }),
    picture: event({ payload: Type.Uint8Array(), delivery: 'recoverable' }),
  },
  rooms: {
    channel: room({
      params: Type.Object({ id: Type.String() }),
      events: {
        posted: event({ payload: Note, delivery: 'recoverable' }),
        typing: event({ payload: Note }),
        topic: event({ payload: Note, delivery: 'latest', key: 'text' }),
      },
      history: { messages: 10, seconds: 60 },
    }),
  },
  inbox: { messages: 100, seconds: 60 },
})

/** What `ackord generate` makes of its events. */
export interface InboxEvents {
  readonly mention: { readonly payload: { text: string }; readonly delivery: 'recoverable' }
  readonly notice: { readonly payload: { text: string } }
}

const descriptor = { version: contract.version, hash: contract.hash, calls: {}, rooms: {}, inbox } as const

/** Options of `startNode`. */
export interface NodeOptions extends AckordOptions {
  /** Registered before the namespace. */
  readonly before?: (app: FastifyInstance) => void
}

/** How to connect; as which session. Default: one of its own. */
export interface EnterOptions extends ConnectOptions {
  readonly session?: string
}

/** Everything a test needs of one node. */
export type TestNode = Awaited<ReturnType<typeof startNode>>

let sessions = 0

/** Starts an app; it ends with the test. The token of everybody is their name. */
export async function startNode({ before, ...options }: NodeOptions = {}) {
  const app = Fastify({ forceCloseConnections: true })
  // A header carries no user of every kind: the token is JSON.
  const live = namespace(contract, {
    path: '/live',
    authenticate: ({ token }) => ({ id: JSON.parse(token) }),
  })
  await app.register(ackord, { grace: 300, maxLag: 60_000, ...options })
  before?.(app)
  await app.register(live.plugin({ rooms: { channel: { join: () => true } } }), { prefix: '/v1' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const { gateway } = app.ackordGateway
  return {
    app,
    gateway,
    cluster: clusterOf(gateway),
    live: app.ackord(live),
    /** A connection that has said HELLO as `user` and got WELCOME. */
    async enter(user: string, { session, ...rest }: EnterOptions = {}): Promise<RawClient> {
      const client = await connect(`ws://127.0.0.1:${port}/v1/live`, rest)
      client.send([1, session ?? `s${++sessions}`, contract.hash, '1.0.0', ['goaway'], JSON.stringify(user)])
      await client.next(17)
      return client
    },
  }
}

/** A node on a Redis. */
export async function startRedisNode(port: number, options: NodeOptions = {}): Promise<TestNode> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return startNode({ redis, ...options })
}

/** The shipped client, of a contract with an inbox. It ends with the test. */
export function makeClient(user: string, options: ClientOptions): Client<object, InboxEvents, object> {
  const client = createClient<object, InboxEvents, object>(descriptor, 'ws://test/v1/live', {
    token: () => JSON.stringify(user),
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

/** Joins the inbox: JOINED, and as many PUBLICATIONs as it says, as `[text, offset]`. */
export async function open(client: RawClient, seq: number, since?: unknown, last?: number) {
  client.send([6, seq, '', {}, since ?? null, last ?? null])
  const [, , key, replayed, position, gap] = await client.next(22)
  const texts: unknown[] = []
  for (let i = 0; i < Number(replayed); i++) texts.push(textOf(await client.next(23)))
  return { key, position, gap: gap ?? undefined, texts }
}

/** `text@offset` of a PUBLICATION. */
export const textOf = ([, , , payload, offset]: readonly unknown[]): string =>
  `${(payload as { text: string }).text}@${offset}`
