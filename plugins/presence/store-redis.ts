/** Presence in Redis: a hash and a channel for each room, and for each node the set of rooms it wrote in. docs/decisions/presence.md. */
import { randomUUID } from 'node:crypto'
import { type RedisHub, script } from '../redis/index.js'
import {
  type Bounds,
  type Entry,
  MAX_CHANGES,
  MEMBER_BYTES,
  type Outcome,
  type Place,
  type PresenceStore,
  placeName,
  type Snapshot,
  type Update,
  type Write,
} from './store.js'

/** Milliseconds that a room is kept without a change or a look at it: nobody lives who would clear it. */
const KEEP_MS = 3_600_000
/** Milliseconds that it is known where a node wrote: longer than any room is kept. */
const INDEX_MS = 86_400_000
/** Rooms of a dead node that are cleared at a time. */
const SWEEP_AT_A_TIME = 16
/** Rooms of a dead node that are asked for at a time. */
const SCAN_COUNT = 256

const changeScript = script('presence-change')
const NO_BOUNDS: Bounds = { members: 0, bytes: 0 }

/** See `PresenceStore`. Keeps in memory which rooms this node has written in: as many as are in use. */
export class RedisPresence implements PresenceStore {
  readonly #hub: RedisHub
  readonly #publish: string
  // Rooms that the index has, under the place that was written at last.
  readonly #indexed = new Set<string>()
  #place: Place | undefined
  readonly #random: () => number

  constructor(hub: RedisHub, random: () => number) {
    this.#hub = hub
    this.#random = random
    this.#publish = hub.isCluster ? 'SPUBLISH' : 'PUBLISH'
  }

  follow(room: string, follower: (update: Update) => void): Promise<() => void> {
    return this.#hub.subscribe(this.#channel(room), (message) => follower(updateOf(message.toString())))
  }

  async read(room: string): Promise<Snapshot> {
    // It is read again where something was lost: that may be the index, too.
    this.#indexed.delete(room)
    return snapshotOf(fieldsOf(await this.#hub.command('HGETALL', this.#key(room))))
  }

  async isCurrent(room: string, epoch: string, version: number): Promise<boolean> {
    const key = this.#key(room)
    const [head] = await Promise.all([
      this.#hub.command('HMGET', key, 'epoch', 'version'),
      this.#hub.command('PEXPIRE', key, KEEP_MS),
      // As long as the room is kept it has to be known who wrote there.
      this.#place && this.#addToIndex(room, this.#place),
    ])
    const [atEpoch, atVersion] = listOf(head)
    return (atEpoch ?? '') === epoch && Number(atVersion ?? 0) === version
  }

  async change(room: string, place: Place, writes: readonly Write[], bounds: Bounds): Promise<Outcome> {
    if (this.#place === undefined || placeName(this.#place) !== placeName(place)) {
      this.#place = place
      this.#indexed.clear()
    }
    // Before the entry: what is not in the index would be there for ever.
    if (!this.#indexed.has(room)) {
      await this.#addToIndex(room, place)
      // Under another place by now it still has to be put there.
      if (this.#place.generation === place.generation) this.#indexed.add(room)
    }
    return this.#change(room, place, 0, writes, bounds)
  }

  async #addToIndex(room: string, { node, generation }: Place): Promise<void> {
    const index = this.#index(node)
    await this.#hub.command('SADD', index, `${generation} ${room}`)
    await this.#hub.command('PEXPIRE', index, INDEX_MS)
  }

  leave(room: string, { node, generation }: Place): void {
    this.#indexed.delete(room)
    // What stays in the index costs a look at an empty room.
    this.#hub.command('SREM', this.#index(node), `${generation} ${room}`).catch(() => undefined)
  }

  async sweep(node: string, isDead: (generation: number) => boolean): Promise<void> {
    const index = this.#index(node)
    let cursor = '0'
    do {
      const page = await this.#hub.command('SSCAN', index, cursor, 'COUNT', SCAN_COUNT)
      const [next, members] = Array.isArray(page) ? page : []
      cursor = String(next ?? '0')
      const rest = listOf(members)
        .map(indexed)
        .filter(({ generation }) => isDead(generation))
        // Other nodes clear the same ones: each takes what it finds left.
        .map((each) => ({ ...each, order: this.#random() }))
        .sort((a, b) => a.order - b.order)
        .values()
      const sweepOneByOne = async (): Promise<void> => {
        for (const { generation, room } of rest) await this.#sweepRoom(index, room, { node, generation })
      }
      await Promise.all(Array.from({ length: SWEEP_AT_A_TIME }, sweepOneByOne))
    } while (cursor !== '0')
  }

  async #sweepRoom(index: string, room: string, place: Place): Promise<void> {
    const member = `${place.generation} ${room}`
    if ((await this.#hub.command('SISMEMBER', index, member)) === 0) return
    const lowest = place.generation + 1
    // First of all: what the dead node may still send finds the door shut.
    await this.#change(room, place, lowest, [], NO_BOUNDS)
    const name = placeName(place)
    const { entries } = await this.read(room)
    const theirs = entries.filter(({ places }) => places.has(name))
    for (let i = 0; i < theirs.length; i += MAX_CHANGES) {
      const writes = theirs.slice(i, i + MAX_CHANGES).map(({ user }) => ({ user, connections: 0 }))
      await this.#change(room, place, lowest, writes, NO_BOUNDS)
    }
    await this.#hub.command('SREM', index, member)
  }

  async #change(
    room: string,
    { node, generation }: Place,
    lowest: number,
    writes: readonly Write[],
    { members, bytes }: Bounds,
  ): Promise<Outcome> {
    const head = [this.#channel(room), this.#publish, randomUUID(), node, generation, lowest]
    const values = [...head, KEEP_MS, members, bytes, MEMBER_BYTES]
    for (const { user, connections, state, restores } of writes)
      values.push(JSON.stringify(user), connections, state ?? '', restores ? 1 : 0)
    const reply = await this.#hub.run(changeScript, [this.#key(room)], values)
    const [refused, ...full] = Array.isArray(reply) ? reply : []
    if (refused !== null) return { lowest: Number(refused), full: [] }
    return { lowest: undefined, full: full.flatMap((i) => writes[Number(i)]?.user ?? []) }
  }

  readonly #key = (room: string): string => `${this.#hub.prefix}:{${room}}:presence`
  readonly #channel = (room: string): string => `${this.#hub.prefix}:{${room}}:presence-live`
  readonly #index = (node: string): string => `${this.#hub.prefix}:{presence.${node}}:rooms`
}

const listOf = (reply: unknown): ReadonlyArray<string | null> => (Array.isArray(reply) ? reply : [])

function indexed(member: string | null): { readonly generation: number; readonly room: string } {
  const text = member ?? ''
  const space = text.indexOf(' ')
  return { generation: Number(text.slice(0, space)), room: text.slice(space + 1) }
}

// Field, value, field, value, …
function fieldsOf(reply: unknown): Map<string, string> {
  const list = listOf(reply)
  const fields = new Map<string, string>()
  for (let i = 0; i < list.length; i += 2) fields.set(list[i] ?? '', list[i + 1] ?? '')
  return fields
}

function snapshotOf(fields: ReadonlyMap<string, string>): Snapshot {
  const entries = new Map<string, Entry & { readonly places: Map<string, number> }>()
  for (const [field, value] of fields) {
    if (!field.startsWith('user ')) continue
    const json = field.slice(5)
    const state = value.slice(value.indexOf(' ') + 1)
    entries.set(json, { user: JSON.parse(json), state: state || undefined, places: new Map() })
  }
  for (const [field, value] of fields) {
    if (!field.startsWith('at ')) continue
    const space = field.indexOf(' ', 3)
    entries.get(field.slice(space + 1))?.places.set(field.slice(3, space), Number(value))
  }
  return {
    epoch: fields.get('epoch') ?? '',
    version: Number(fields.get('version') ?? 0),
    entries: [...entries.values()],
  }
}

type WireUpdate = readonly [
  epoch: string,
  version: number,
  place: string,
  changes: ReadonlyArray<readonly [user: string, connections: number, state: unknown]>,
]

function updateOf(message: string): Update {
  const [epoch, version, place, changes] = JSON.parse(message) as WireUpdate
  return {
    epoch,
    version,
    place,
    changes: changes.map(([user, connections, state]) => ({
      user,
      connections,
      state: state === null ? undefined : JSON.stringify(state),
    })),
  }
}
