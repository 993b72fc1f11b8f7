/** A server whose rooms have presence, for tests over the wire. */
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import Fastify, { type FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { defineContract, event, room, Type } from '../../contract/index.js'
import { type AckordOptions, ackord, namespace } from '../../plugins/index.js'
import { roomsOf } from '../../plugins/rooms/index.js'
import { type ConnectOptions, connect, type RawClient } from '../support/raw-client.js'

/** One room with presence, one with bytes in it, one without. */
export const contract = defineContract({
  name: 'presence',
  version: '1.0.0',
  rooms: {
    desk: room({
      params: Type.Object({ id: Type.String() }),
      events: { moved: event({ payload: Type.Object({ x: Type.Number() }) }) },
      presence: Type.Object({ status: Type.String(), note: Type.Optional(Type.String()) }),
    }),
    wall: room({
      params: Type.Object({ id: Type.String() }),
      events: {},
      presence: Type.Object({ picture: Type.Uint8Array() }),
    }),
    plain: room({ params: Type.Object({ id: Type.String() }), events: {} }),
  },
})

/** Options of `startNode`. */
export interface NodeOptions extends AckordOptions {
  /** Registered after the namespace. */
  readonly after?: (app: FastifyInstance) => void
}

/** How somebody enters. */
export interface EnterOptions extends ConnectOptions {
  /** Of their contract. Default: the server's. */
  readonly hash?: string
  /** Default: one of its own. */
  readonly session?: string
  /** What their client can do. Default: nothing. */
  readonly features?: readonly string[]
}

/** Everything a test needs of one node. */
export type TestNode = Awaited<ReturnType<typeof startNode>>

/** Starts an app; it ends with the test. The token of everybody is their name. */
export async function startNode({ after, ...options }: NodeOptions = {}) {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const app = Fastify({ logger: { level: 'debug', stream }, forceCloseConnections: true })
  const live = namespace(contract, {
    path: '/live',
    authenticate: ({ token }) => ({ id: token ?? '' }),
  })
  await app.register(ackord, { grace: 300, maxLag: 60_000, ...options })
  await app.register(
    live.plugin({
      rooms: {
        desk: { join: ({ id }) => id !== 'closed' },
        wall: { join: () => true },
        plain: { join: () => true },
      },
    }),
  )
  after?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const { gateway } = app.ackordGateway
  const [mount] = [...gateway.paths.values()]
  if (mount === undefined) throw new Error('nothing is mounted')

  let sessions = 0
  return {
    app,
    gateway,
    mount,
    lines,
    live: app.ackord(live),
    /** Connections of this node in the desk. */
    membersOf: (id: string) => [
      ...(roomsOf(mount).rooms.find(app.ackord(live).room.desk({ id }).key)?.members.keys() ?? []),
    ],
    /** A connection that has said HELLO as `user` and got WELCOME. */
    async enter(
      user: string,
      {
        hash = contract.hash,
        session = `s${++sessions}`,
        features = [],
        ...connectOptions
      }: EnterOptions = {},
    ): Promise<RawClient> {
      const client = await connect(`ws://127.0.0.1:${port}/live`, connectOptions)
      client.send([1, session, hash, '1.0.0', features, user])
      await client.next(17)
      return client
    },
  }
}

/** What a client knows of a room from JOINED and PRESENCE, as `user: state connections`. */
export class Seen {
  readonly members = new Map<string, readonly [state: unknown, connections: number]>()
  /** Frames that came. */
  frames = 0
  /** Bytes of their text. */
  bytes = 0
  readonly #client: RawClient
  readonly #key: unknown

  private constructor(client: RawClient, key: unknown) {
    this.#client = client
    this.#key = key
  }

  /** Joins a desk and takes what JOINED says. */
  static async join(client: RawClient, id = 'a', seq = 1, state?: unknown): Promise<Seen> {
    client.send([6, seq, 'desk', { id }])
    if (state !== undefined) client.send([8, seq, state])
    const [, , key, , , , members] = await client.next(22)
    const seen = new Seen(client, key)
    seen.#add(members)
    return seen
  }

  /** Takes PRESENCE until everybody is there as said: `{ alice: [state, connections] }`. */
  async becomes(
    expected: Readonly<Record<string, readonly [state: unknown, connections: number]>>,
  ): Promise<void> {
    const { length } = Object.keys(expected)
    while (this.members.size !== length || !isDeepStrictEqual(this.all, expected)) await this.next()
  }

  /** Takes one PRESENCE; those of other rooms on the way are dropped. */
  async next(): Promise<readonly unknown[]> {
    let frame = await this.#client.next(24)
    while (frame[1] !== this.#key) frame = await this.#client.next(24)
    this.frames++
    this.bytes += JSON.stringify(frame).length
    const [, , joined, updated, left] = frame
    this.#add(joined)
    this.#add(updated)
    for (const user of left as string[]) this.members.delete(user)
    return frame
  }

  get all(): Record<string, readonly [unknown, number]> {
    return Object.fromEntries(this.members)
  }

  #add(members: unknown): void {
    for (const [user, state, connections] of members as Array<[string, unknown, number]>)
      this.members.set(user, [state, connections])
  }
}
