/** The rooms of one namespace on this node: which are in use, and publishing into any. */
import { AckordError } from '../errors.js'
import type { Hooks, Mount } from '../gateway/index.js'
import type { Broker, Position, ReadFrom, Snapshot } from './broker.js'
import { type CompiledRoom, compileRooms } from './compile.js'
import { brokerRoom, outgoingOf, type PublishRequest } from './publishable.js'
import { Room } from './room.js'

interface Held {
  readonly room: Room
  readonly subscribed: Promise<() => void>
}

/** A room is here while it has members or joiners; with the last of them its subscription ends. */
export class Rooms {
  readonly #mount: Mount
  readonly #broker: Broker
  readonly #definitions: Map<string, CompiledRoom>
  readonly #onPublish: ReadonlyArray<Hooks['onPublish']>
  readonly #held = new Map<string, Held>()

  constructor(mount: Mount, broker: Broker) {
    this.#mount = mount
    this.#broker = broker
    this.#definitions = compileRooms(mount)
    this.#onPublish = mount.gateway.hooks.of('onPublish', mount.path)
  }

  /** How many are in use on this node. */
  get size(): number {
    return this.#held.size
  }

  /** A plugin adds a room that the contract does not name; for `onMount`. */
  define(definition: CompiledRoom): void {
    this.#definitions.set(definition.name, definition)
  }

  definition(name: string): CompiledRoom | undefined {
    return this.#definitions.get(name)
  }

  /** Like `definition`. Throws ACKORD_UNKNOWN_NAME. */
  defined(name: string): CompiledRoom {
    const definition = this.#definitions.get(name)
    if (definition === undefined) throw new AckordError('ACKORD_UNKNOWN_NAME', `room ${name}`)
    return definition
  }

  /** The room of a key, where it is in use on this node. */
  find(key: string): Room | undefined {
    return this.#held.get(key)?.room
  }

  /** Runs `work` with a subscribed room that stays at least until it is done. Concurrent first members share the subscription. */
  async use<T>(definition: CompiledRoom, key: string, work: (room: Room) => Promise<T>): Promise<T> {
    const held = this.#held.get(key) ?? this.#hold(definition, key)
    held.room.joining++
    try {
      await held.subscribed
      return await work(held.room)
    } finally {
      held.room.joining--
      this.release(held.room)
    }
  }

  #hold(definition: CompiledRoom, key: string): Held {
    const room = new Room(this.#mount, definition, key)
    const held = {
      room,
      subscribed: this.#broker.subscribe(this.#brokerKey(key), definition.log, room),
    }
    this.#held.set(key, held)
    return held
  }

  /** Lets a room go that nobody uses any more. */
  release(room: Room): void {
    if (room.members.size > 0 || room.joining > 0) return
    const held = this.#held.get(room.key)
    if (held?.room !== room) return
    this.#held.delete(room.key)
    held.subscribed.then(
      (unsubscribe) => unsubscribe(),
      // Whoever waited for the subscription was told.
      () => undefined,
    )
  }

  read(room: Room, from: ReadFrom): Promise<Snapshot> {
    return this.#broker.read(this.#brokerKey(room.key), room.definition.log, from)
  }

  /**
   * Publishes into a room, whether or not it has members here. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PARAMS and
   * ACKORD_INVALID_PAYLOAD; rejects with a BrokerError.
   */
  publish(
    definition: CompiledRoom,
    key: string,
    event: string,
    payload: unknown,
    request: PublishRequest,
  ): Promise<Position | undefined> {
    const outgoing = outgoingOf(definition, event, payload, request)
    const hooks = this.#onPublish
    const send = (): Promise<Position | undefined> =>
      this.#broker.publish(this.#brokerKey(key), definition.log, outgoing)
    if (hooks.length === 0) return send()
    return (async () => {
      const info = { mount: this.#mount, room: definition.name, key, event, payload }
      for (const onPublish of hooks) await onPublish(info)
      return send()
    })()
  }

  #brokerKey(key: string): string {
    return brokerRoom(this.#mount.path, key)
  }
}
