/**
 * A room's members as this node shows them: what the store says of other nodes, and what is so here. No I/O. Changes are collected until
 * they are taken, so that what came and went meanwhile costs nothing.
 */
import { type Change, type Entry, nodeOf } from './store.js'

/** A member as it is shown. */
export interface Shown {
  /** JSON text; undefined until one was set. */
  readonly state: string | undefined
  readonly connections: number
}

interface Known {
  state: string | undefined
  readonly places: Map<string, number>
}

/** Who is in one room. */
export class View {
  readonly #node: string
  // As the store has it.
  readonly #known = new Map<string, Known>()
  // Connections here. What the store says of this node is not looked at: it comes later.
  readonly #own = new Map<string, number>()
  // Users of this node for whom the room had no space.
  readonly #unshown = new Set<string>()
  readonly #shown = new Map<string, Shown>()
  // What was not taken yet; true where the user was there all the time.
  #changed = new Map<string, boolean>()
  #list: string | undefined = ''
  #bytes = 2
  #version = 0

  constructor(node: string) {
    this.#node = node
  }

  /** Rises with each change. */
  get version(): number {
    return this.#version
  }

  /** Whether something waits to be taken. */
  get hasChanges(): boolean {
    return this.#changed.size > 0
  }

  get members(): ReadonlyMap<string, Shown> {
    return this.#shown
  }

  /** Users with connections here, and how many. */
  get own(): ReadonlyMap<string, number> {
    return this.#own
  }

  /** The members as JOINED's presence: made once per version, and only added to where somebody comes. PROTOCOL.md § Presence. */
  get list(): string {
    this.#list ??= [...this.#shown].map(([user, shown]) => textOf(user, shown)).join(',')
    return `[${this.#list}]`
  }

  /** Bytes of `list`, in UTF-8. */
  get bytes(): number {
    return this.#bytes
  }

  /** What the store has of a user. */
  known(
    user: string,
  ): { readonly state: string | undefined; readonly places: ReadonlyMap<string, number> } | undefined {
    return this.#known.get(user)
  }

  /** Whether the store has a user on another node. */
  readonly isElsewhere = (user: string): boolean =>
    [...(this.#known.get(user)?.places.keys() ?? [])].some((place) => nodeOf(place) !== this.#node)

  /** A user has so many connections here now. */
  setOwn(user: string, connections: number): void {
    if (connections > 0) {
      this.#own.set(user, connections)
    } else {
      this.#own.delete(user)
      this.#unshown.delete(user)
      // Nobody else is there: the state has ended with the user, which the store says a little later.
      if (!this.isElsewhere(user)) this.#known.delete(user)
    }
    this.#refresh(user)
  }

  /** The room has no space for these users of this node. */
  setUnshown(users: Iterable<string>): void {
    for (const user of users) {
      if (this.#known.has(user) || !this.#own.has(user)) continue
      this.#unshown.add(user)
      this.#refresh(user)
    }
  }

  /** An update of the store. */
  update(place: string, changes: readonly Change[]): void {
    for (const { user, connections, state } of changes) {
      const known = this.#known.get(user) ?? { state, places: new Map<string, number>() }
      known.state = state
      if (connections > 0) known.places.set(place, connections)
      else known.places.delete(place)
      if (known.places.size > 0) this.#know(user, known)
      else this.#known.delete(user)
      this.#refresh(user)
    }
  }

  /** All that the store has. */
  replace(entries: readonly Entry[]): void {
    const before = [...this.#known.keys()]
    this.#known.clear()
    for (const { user, state, places } of entries) {
      this.#know(user, { state, places: new Map(places) })
      this.#refresh(user)
    }
    for (const user of before) if (!this.#known.has(user)) this.#refresh(user)
  }

  #know(user: string, known: Known): void {
    this.#known.set(user, known)
    this.#unshown.delete(user)
  }

  #refresh(user: string): void {
    const before = this.#shown.get(user)
    const now = this.#now(user)
    if (before?.connections === now?.connections && before?.state === now?.state) return
    this.#version++
    this.#bytes += sizeOf(user, now) - sizeOf(user, before)
    if (now === undefined) this.#shown.delete(user)
    else this.#shown.set(user, now)
    if (before !== undefined || now === undefined) this.#list = undefined
    else if (this.#list !== undefined) this.#list += `${this.#list === '' ? '' : ','}${textOf(user, now)}`
    const stayed = this.#changed.get(user) ?? before !== undefined
    this.#changed.set(user, stayed && now !== undefined)
  }

  #now(user: string): Shown | undefined {
    const known = this.#known.get(user)
    let connections = this.#unshown.has(user) ? 0 : (this.#own.get(user) ?? 0)
    for (const [place, count] of known?.places ?? []) if (nodeOf(place) !== this.#node) connections += count
    return connections === 0 ? undefined : { state: known?.state, connections }
  }

  /**
   * Takes what has changed, as the elements of PRESENCE behind its key; the rest, beyond about so many bytes, stays for the next time. What
   * it says is true at once for whoever was given the list at any time since.
   */
  take(bytes: number): string {
    const joined: string[] = []
    const updated: string[] = []
    const left: string[] = []
    let taken = 0
    for (const [user, stayed] of this.#changed) {
      if (taken >= bytes) break
      this.#changed.delete(user)
      const shown = this.#shown.get(user)
      const text = shown === undefined ? JSON.stringify(user) : textOf(user, shown)
      taken += text.length
      if (shown === undefined) left.push(text)
      else (stayed ? updated : joined).push(text)
    }
    return [joined, updated, left].map((texts) => `[${texts.join(',')}]`).join(',')
  }

  /** Everybody knows already. */
  dropChanges(): void {
    this.#changed.clear()
  }
}

const textOf = (user: string, { state = 'null', connections }: Shown): string =>
  `[${JSON.stringify(user)},${state},${connections}]`

const sizeOf = (user: string, shown: Shown | undefined): number =>
  shown === undefined ? 0 : Buffer.byteLength(textOf(user, shown)) + 1
