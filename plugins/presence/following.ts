/** A room's presence as the store has it: read once, then kept by updates, and read again where one is missing. */
import type { PresenceStore, Snapshot, Update } from './store.js'

/** Updates kept while the room is read; beyond, it is read again. */
const MAX_BUFFERED = 1000
/** Times a room is read in a row. */
const MAX_READS = 3

/** Who is told. */
export interface Follower {
  /** Everything, in place of what was before. */
  replace(snapshot: Snapshot): void
  /** What continues it. */
  update(update: Update): void
  /** An update is missing: the room wants to be read again. */
  missed(): void
}

/** Follows one room. */
export class Following {
  readonly #store: PresenceStore
  readonly #room: string
  readonly #follower: Follower
  #unfollow: (() => void) | undefined
  #epoch = ''
  #version = 0
  // What comes while the room is read.
  #buffer: Update[] | undefined
  #reading: Promise<void> | undefined
  #again = false
  #isStopped = false

  constructor(store: PresenceStore, room: string, follower: Follower) {
    this.#store = store
    this.#room = room
    this.#follower = follower
  }

  /** Whether a read is under way. */
  get isReading(): boolean {
    return this.#reading !== undefined
  }

  /** Reads the room, once more where that is under way; follows it first. Rejects where the store is away, or the room never stands still. */
  read(): Promise<void> {
    this.#again = true
    this.#reading ??= this.#read()
    return this.#reading
  }

  async #read(): Promise<void> {
    try {
      await this.#follow()
      for (let i = 0; this.#again && !this.#isStopped; i++) {
        if (i === MAX_READS) throw new Error('the room changes faster than it can be read')
        this.#again = false
        const buffer: Update[] = []
        this.#buffer = buffer
        const snapshot = await this.#store.read(this.#room)
        if (this.#isStopped) return
        if (buffer.length >= MAX_BUFFERED || !this.#take(snapshot, buffer)) this.#again = true
      }
    } finally {
      // At once, not a promise later: who asks in between would be told of a read that looks no more.
      this.#reading = undefined
      this.#buffer = undefined
    }
  }

  async #follow(): Promise<void> {
    if (this.#unfollow !== undefined) return
    const unfollow = await this.#store.follow(this.#room, this.#onUpdate)
    if (this.#isStopped) unfollow()
    else this.#unfollow = unfollow
  }

  // False where what came meanwhile does not continue the snapshot.
  #take(snapshot: Snapshot, buffer: readonly Update[]): boolean {
    this.#epoch = snapshot.epoch
    this.#version = snapshot.version
    this.#follower.replace(snapshot)
    return buffer.every((update) => this.#apply(update))
  }

  readonly #onUpdate = (update: Update): void => {
    if (this.#isStopped) return
    if (this.#buffer === undefined) {
      if (!this.#apply(update)) this.#follower.missed()
    } else if (this.#buffer.length < MAX_BUFFERED) {
      this.#buffer.push(update)
    }
  }

  // False where it does not continue what is known.
  #apply(update: Update): boolean {
    const { epoch, version } = update
    if (epoch === this.#epoch && version <= this.#version) return true
    if ((epoch !== this.#epoch && this.#epoch !== '') || version !== this.#version + 1) return false
    this.#epoch = epoch
    this.#version = version
    this.#follower.update(update)
    return true
  }

  /** Whether the store is where this is, or has been passed meanwhile. Rejects where the store is away. */
  async isCurrent(): Promise<boolean> {
    const version = this.#version
    if (this.isReading || (await this.#store.isCurrent(this.#room, this.#epoch, version))) return true
    return this.isReading || this.#version !== version
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#isStopped = true
    this.#unfollow?.()
    this.#unfollow = undefined
  }
}
