/** A publisher: thin, untyped inside, typed once at its edge (index.ts). */
import { randomUUID } from 'node:crypto'
import type { TSchema } from '@sinclair/typebox'
import type { Clock } from '../../contract/clock.js'
import { compilePayload, type Payload, PLACE } from '../calls/core.js'
import { busChannel, encodeMessage } from '../cluster/core.js'
import { AckordError } from '../errors.js'
import { compileInbox, type InboxParams } from '../inbox/core.js'
import { type Branch, SEND, type SendBody, tree } from '../namespace/core.js'
import { type HubLog, type RedisHub, RedisUnavailable } from '../redis/core.js'
import {
  BrokerError,
  brokerRoom,
  checkedKey,
  compilePublishable,
  outgoingOf,
  type Position,
  type PublishableRoom,
  RedisBroker,
  type RoomHost,
} from '../rooms/core.js'

/** What a publisher works with. */
export interface PublisherHost {
  readonly host: RoomHost
  readonly hub: RedisHub
  readonly path: string
  readonly clock: Clock
  readonly log: HubLog
}

interface Options {
  readonly id?: string
}

/** See `Publisher`. */
export class PublisherView {
  readonly room: Branch<(params: unknown) => RoomView>
  readonly all = { send: async (event: string, payload: unknown) => this.#tell(['all'], event, payload) }
  readonly #hub: RedisHub
  readonly #broker: RedisBroker
  readonly #path: string
  readonly #inbox: PublishableRoom | undefined
  readonly #passing: ReadonlyMap<string, Payload>
  readonly #name = `publisher.${randomUUID()}`
  // As many as the broker and the hub let be under way.
  readonly #underWay = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined

  constructor({ host, hub, path, clock, log }: PublisherHost) {
    this.#hub = hub
    this.#path = path
    this.#broker = new RedisBroker({
      hub,
      clock,
      onError: (error, room) => log.error({ err: error, room }, 'ackord: a publication failed'),
    })
    const { rooms = {}, events = {} } = host.contract
    const kinds = new Map(
      Object.entries(rooms).map(([name, room]) => [name, compilePublishable(host, name, room)] as const),
    )
    this.room = tree([...kinds.keys()], (name) => (params: unknown) => {
      const kind = kinds.get(name)
      if (kind === undefined) throw new AckordError('ACKORD_UNKNOWN_NAME', `room ${name}`)
      return this.#roomOf(kind, checkedKey(kind, params))
    })
    this.#inbox = compileInbox(host)
    const payloadOf = (name: string, schema: TSchema): Payload =>
      compilePayload(host, schema, `the event ${JSON.stringify(name)}`, PLACE.EVENT)
    this.#passing = new Map(
      Object.entries(events)
        .filter(([name]) => !this.#inbox?.events.has(name))
        .map(([name, { payload }]) => [name, payloadOf(name, payload)]),
    )
  }

  user(id: string) {
    return {
      send: async (event: string, payload: unknown, options: Options = {}): Promise<Position | undefined> => {
        const inbox = this.#inbox
        if (!inbox?.events.has(event)) return this.#tell(['user', id], event, payload)
        const params: InboxParams = { user: id }
        return this.#roomOf(inbox, checkedKey(inbox, params)).publish(event, payload, options)
      },
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#underWay)
    await this.#broker.close()
    await this.#hub.close()
  }

  #roomOf(kind: PublishableRoom, key: string): RoomView {
    const publish = (event: string, payload: unknown, { id }: Options): Promise<Position | undefined> => {
      const outgoing = outgoingOf(kind, event, payload, { id })
      const room = brokerRoom(this.#path, key)
      return this.#await(() => this.#broker.publish(room, kind.log, outgoing))
    }
    return { key, publish: async (event, payload, options = {}) => publish(event, payload, options) }
  }

  // As a node tells the others: who sends it is none of them, and needs not be.
  async #tell(target: SendBody['target'], event: string, payload: unknown): Promise<undefined> {
    const write = this.#passing.get(event)
    if (write === undefined) {
      const code = this.#inbox?.events.has(event) ? 'ACKORD_WRONG_DELIVERY' : 'ACKORD_UNKNOWN_NAME'
      throw new AckordError(code, `event ${event}`)
    }
    const body: SendBody = { path: this.#path, target, event, payload: write(payload) }
    const text = encodeMessage({ type: 'tell', from: this.#name, kind: SEND, body })
    try {
      await this.#await(() => this.#hub.publish(busChannel(this.#hub.prefix), text))
    } catch (error) {
      // What reaches only who is connected now is lost where they cannot be reached, as in rooms.
      if (!(error instanceof RedisUnavailable)) throw error
    }
  }

  async #await<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new BrokerError('CLOSED', 'The publisher is closed')
    const promise = work()
    this.#underWay.add(promise)
    try {
      return await promise
    } finally {
      this.#underWay.delete(promise)
    }
  }
}

/** See `PublisherRoom`. */
interface RoomView {
  readonly key: string
  publish(event: string, payload: unknown, options?: Options): Promise<Position | undefined>
}
