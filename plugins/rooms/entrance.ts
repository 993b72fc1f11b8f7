/** One way into a room, as the `onEnter` hooks follow it. */
import type { EnterInfo, Entering, Hooks, Pack } from '../gateway/index.js'

/** What goes into JOINED. */
export interface Shown {
  /** JSON text; undefined where the room has no presence. */
  readonly presence: string | undefined
  readonly pack: Pack | undefined
}

/** JOINED says nothing of presence. */
export const NOTHING_SHOWN: Shown = { presence: undefined, pack: undefined }

/** Ends with `enter` or `cancel`. */
export class Entrance {
  readonly #enterings: readonly Entering[]
  #over = false

  private constructor(enterings: readonly Entering[]) {
    this.#enterings = enterings
  }

  /** Asks the hooks in order. Rejects with what one throws, and then has cancelled what the others began. */
  static async of(hooks: ReadonlyArray<Hooks['onEnter']>, info: EnterInfo): Promise<Entrance> {
    if (hooks.length === 0) return NO_HOOKS
    const enterings: Entering[] = []
    try {
      for (const onEnter of hooks) {
        const entering = await onEnter(info)
        if (entering !== undefined) enterings.push(entering)
      }
    } catch (error) {
      for (const entering of enterings) entering.cancelled()
      throw error
    }
    return enterings.length === 0 ? NO_HOOKS : new Entrance(enterings)
  }

  /** An entrance that nobody follows. */
  static none(): Entrance {
    return new Entrance([])
  }

  /** Bytes of JOINED's presence, at most. */
  get bytes(): number {
    return this.#enterings.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  }

  /** The member comes in now. */
  enter(): Shown {
    this.#over = true
    let shown = NOTHING_SHOWN
    for (const entering of this.#enterings) {
      const presence = entering.entered()
      if (presence !== undefined) shown = { presence, pack: entering.pack }
    }
    return shown
  }

  /** It does not come in. Harmless where it has. */
  cancel(): void {
    if (this.#over) return
    this.#over = true
    for (const entering of this.#enterings) entering.cancelled()
  }
}

// Its ends change nothing, so all may share it.
const NO_HOOKS = Entrance.none()
