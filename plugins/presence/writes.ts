/** What this node has still to say of its users in one room: the newest of each, however often it changes. */
import { MAX_CHANGES, type Write } from './store.js'

interface Pending {
  /** All connections ended since the last write: the state ended with them. */
  ended: boolean
  state: string | undefined
  restores: boolean
}

/** Bounded by the users who are, or were at the last write, in the room on this node. */
export class Writes {
  readonly #pending = new Map<string, Pending>()
  // Under way: whether they were done is not known.
  #taken: Map<string, Pending> | undefined

  get isEmpty(): boolean {
    return this.#pending.size === 0 && this.#taken === undefined
  }

  /** Whether something waits, and nothing is under way. */
  get isDue(): boolean {
    return this.#pending.size > 0 && this.#taken === undefined
  }

  has(user: string): boolean {
    return this.#pending.has(user) || this.#taken?.has(user) === true
  }

  /** The connections of a user have changed. */
  add(user: string): void {
    if (!this.#pending.has(user)) this.#pending.set(user, { ended: false, state: undefined, restores: false })
  }

  /** The last connection of a user has ended. */
  end(user: string): void {
    this.#pending.set(user, { ended: true, state: undefined, restores: false })
  }

  /** A user shows a state; `restores` where it is only what the store had before it lost it. */
  setState(user: string, state: string, restores = false): void {
    this.add(user)
    const pending = this.#pending.get(user)
    if (pending === undefined || (restores && pending.state !== undefined)) return
    pending.state = state
    pending.restores = restores
  }

  /** Takes what one change may hold; `done` or `failed` follows. */
  take(connectionsOf: (user: string) => number): readonly Write[] {
    const taken = new Map<string, Pending>()
    const writes: Write[] = []
    for (const [user, pending] of this.#pending) {
      if (writes.length > MAX_CHANGES - 2) break
      this.#pending.delete(user)
      taken.set(user, pending)
      const connections = connectionsOf(user)
      const { ended, state, restores } = pending
      if (ended || connections === 0) writes.push({ user, connections: 0 })
      if (connections > 0) writes.push({ user, connections, state, restores })
    }
    this.#taken = taken
    return writes
  }

  done(): void {
    this.#taken = undefined
  }

  /** What was taken waits again, but for what is newer by now. */
  failed(): void {
    for (const [user, { ended, state, restores }] of this.#taken ?? []) {
      const newer = this.#pending.get(user)
      if (newer === undefined) this.#pending.set(user, { ended, state, restores })
      else if (!newer.ended) {
        newer.ended = ended
        if (newer.state === undefined || (newer.restores && state !== undefined && !restores)) {
          newer.state = state
          newer.restores = restores
        }
      }
    }
    this.#taken = undefined
  }
}
