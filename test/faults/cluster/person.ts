/** One client under load, and everything that happens to it, in lines. */
import { WebSocket } from 'ws'
import {
  type CallFailure,
  type Client,
  createClient,
  type GapReason,
  type Member,
  type Position,
  type Result,
  type WebSocketClass,
} from '../../../client/index.js'
import { type Calls, descriptor, type Events, type HallEvents, type Rooms } from './contract.js'
import type { Delivery, Entry } from './lines.js'

type Hall = ReturnType<Rooms['hall']>

/** Who a client is. */
export interface PersonOptions {
  /** Unique. */
  readonly name: string
  readonly user: string
  readonly url: string
  readonly halls: readonly string[]
  /** Ends for good when it loses its first connection. */
  readonly once?: boolean
  readonly write: (name: string, entry: Entry) => void
}

/** Milliseconds between two tries of what may be repeated. */
const PAUSE_MS = 50
/** Milliseconds that a call may take in all its tries. */
const CALL_MS = 45_000
/** Milliseconds of one try. */
const TRY_MS = 5000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What the call of an id answered. */
type Outcome =
  | { readonly ok: true; readonly position?: Position }
  | { readonly ok: false; readonly code: string }

/** A client of a node: calls, is in halls, and writes down what it hears. */
export class Person {
  readonly name: string
  readonly user: string
  /** The ids of recoverable events it has heard, by room. */
  readonly heard = new Map<string, Set<string>>()
  /** What it heard last of each room that has positions; not known behind a gap, which says that it may have missed the rest. */
  readonly last = new Map<string, Position | undefined>()
  /** The values it has heard last, by room and key. */
  readonly values = new Map<string, Map<string, number>>()
  readonly #halls = new Map<string, Hall>()
  readonly #client: Client<Calls, Events, Rooms>
  readonly #write: (entry: Entry) => void
  isGone = false
  #ids = 0
  readonly #states = new Map<string, number>()

  constructor({ name, user, url, halls, once = false, write }: PersonOptions) {
    this.name = name
    this.user = user
    this.#write = (entry) => write(name, entry)
    this.#client = createClient<Calls, Events, Rooms>(descriptor, url, {
      WebSocket: once ? onceOnly() : WebSocket,
      token: () => user,
      backoff: { base: 50, max: 500 },
      connectTimeout: 3000,
      onError: (error) => this.#write({ type: 'error', text: String(error) }),
    })
    this.#watchConnection(once)
    this.#watchInbox()
    for (const hall of halls) this.#watchHall(hall)
  }

  get isOpen(): boolean {
    return this.#client.connection.state === 'open'
  }

  /** Whether it is as when nothing is wrong: connected, in its halls, and not told that anything is away. */
  get isWell(): boolean {
    const { state, degraded } = this.#client.connection.get()
    return state === 'open' && !degraded && [...this.#halls.values()].every((hall) => hall.state === 'joined')
  }

  get halls(): readonly string[] {
    return [...this.#halls.keys()]
  }

  /** Joins its halls. Throws where it is refused. */
  async enter(): Promise<void> {
    await Promise.all(
      [...this.#halls].map(async ([room, hall]) => {
        this.#write({ type: 'join', room, user: this.user })
        const joined = await hall.join()
        if (!joined.ok) throw joined.error
        if (joined.position === undefined) throw new Error(`${room} has no position`)
        this.#write({ type: 'joined', room, position: joined.position })
      }),
    )
  }

  /** Publishes into a hall; until it is acked, refused for good, or too late. */
  say(room: string): Promise<string | undefined> {
    const id = this.#nextId()
    return this.#make({ id, delivery: 'recoverable', room }, () =>
      this.#client.calls.say.result({ room, id }, LIMIT),
    )
  }

  /** Publishes into the inbox of a user, likewise. */
  notify(user: string): Promise<string | undefined> {
    const id = this.#nextId()
    return this.#make({ id, delivery: 'recoverable', room: `@${user}` }, () =>
      this.#client.calls.notify.result({ user, id }, LIMIT),
    )
  }

  /** Sets this client's own value in a hall, likewise. */
  set(room: string): Promise<string | undefined> {
    const id = this.#nextId()
    const input = { room, id, key: this.name, value: this.#ids }
    return this.#make({ id, delivery: 'latest', room, key: input.key, value: input.value }, () =>
      this.#client.calls.set.result(input, LIMIT),
    )
  }

  /** Asks for nothing but an answer, once. */
  async echo(): Promise<void> {
    const id = this.#nextId()
    this.#write({ type: 'call', id, delivery: 'none', room: '' })
    this.#settle(id, outcomeOf(await this.#client.calls.echo.result({ id }, LIMIT)))
  }

  /** Tells those that are there just now. */
  whisper(room: string): void {
    this.#client.calls.whisper({ room, id: this.#nextId() })
  }

  /** Shows something new in a hall. */
  show(room: string): void {
    const state = this.state(room) + 1
    this.#states.set(room, state)
    this.#write({ type: 'shows', room, state })
    this.#halls.get(room)?.presence.set(state)
  }

  /** The state it showed last in a hall; 0 where it has shown none. */
  state(room: string): number {
    return this.#states.get(room) ?? 0
  }

  /** Whom it sees in a hall. */
  sees(room: string): readonly Member<number>[] {
    return this.#halls.get(room)?.presence.get() ?? []
  }

  /** Ends for good. Safe to repeat. */
  close(): void {
    if (this.isGone) return
    this.isGone = true
    this.#client.close()
    for (const room of this.#halls.keys()) this.#write({ type: 'left', room, reason: 'closed' })
  }

  #nextId(): string {
    return `${this.name}.${++this.#ids}`
  }

  async #make(
    call: Omit<Extract<Entry, { type: 'call' }>, 'type'> & { readonly delivery: Delivery },
    one: () => Promise<Result<unknown, Record<never, never>>>,
  ): Promise<string | undefined> {
    this.#write({ type: 'call', ...call })
    const end = performance.now() + CALL_MS
    for (let tries = 1; ; tries++) {
      const result = await one()
      if (result.ok || !mayRepeat(result.error) || performance.now() > end) {
        this.#settle(call.id, outcomeOf(result), tries)
        return result.ok ? call.id : undefined
      }
      await pause(PAUSE_MS)
    }
  }

  #settle(id: string, outcome: Outcome, tries = 1): void {
    if (!outcome.ok) this.#write({ type: 'failed', id, code: outcome.code })
    else this.#write({ type: 'acked', id, tries, ...(outcome.position && { position: outcome.position }) })
  }

  #watchConnection(once: boolean): void {
    const { connection } = this.#client
    let before = ''
    let wasOpen = false
    connection.subscribe(() => {
      const { state, degraded, closed } = connection.get()
      const now = `${state} ${degraded}`
      if (now === before) return
      before = now
      this.#write({ type: 'connection', state, degraded, ...(closed && { code: closed.code }) })
      if (once && wasOpen && state !== 'open') this.close()
      wasOpen = state === 'open'
    })
    connection.connect()
  }

  #watchInbox(): void {
    const room = `@${this.user}`
    const { events } = this.#client
    events.onGap((reason) => this.#miss(room, reason))
    events.on('notice', ({ id }, { position }) => this.#hear(room, id, position))
  }

  #watchHall(room: string): void {
    const hall = this.#client.rooms.hall({ id: room })
    this.#halls.set(room, hall)
    hall.onGap((reason) => this.#miss(room, reason))
    hall.onLeft((reason) => this.#write({ type: 'left', room, reason }))
    hall.on('said', ({ id }, { position }) => this.#hear(room, id, position))
    hall.on('whispered', ({ id }) => this.#write({ type: 'event', room, id }))
    const values = new Map<string, number>()
    this.values.set(room, values)
    hall.on('value', ({ id, key, value }: HallEvents['value']['payload']) => {
      values.set(key, value)
      this.#write({ type: 'event', room, id, key, value })
    })
    hall.presence.subscribe(() => {
      const members = hall.presence.get()
      this.#write({
        type: 'sees',
        room,
        members: members.map(({ user, state, connections }) => [user, state ?? null, connections] as const),
      })
    })
  }

  #miss(room: string, reason: GapReason): void {
    this.last.set(room, undefined)
    this.#write({ type: 'gap', room, reason })
  }

  #hear(room: string, id: string, position: Position | undefined): void {
    const heard = this.heard.get(room) ?? new Set()
    this.heard.set(room, heard.add(id))
    this.last.set(room, position)
    this.#write({ type: 'event', room, id, ...(position && { position }) })
  }
}

const LIMIT = { timeout: TRY_MS }

function mayRepeat({ retry }: CallFailure<Record<never, never>>): boolean {
  return retry
}

function outcomeOf(result: Result<unknown, Record<never, never>>): Outcome {
  if (!result.ok) return { ok: false, code: result.error.code }
  const { epoch, offset, tag }: Partial<Position> = Object(result.value)
  if (epoch === undefined || offset === undefined || tag === undefined) return { ok: true }
  return { ok: true, position: { epoch, offset, tag } }
}

/** A WebSocket of which there is one: who loses it is gone. */
function onceOnly(): WebSocketClass {
  let made = false
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      if (made) throw new Error('no second connection')
      made = true
      super(url, protocols)
    }
  }
}
