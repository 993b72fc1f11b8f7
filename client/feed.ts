/** What a membership receives: where it stands in the log, what is replayed, and gaps before what follows them. PROTOCOL.md § Recovery. */
import type { FrameOf } from '../contract/wire/frames.js'
import type { ListenerMap, Listeners } from './listeners.js'
import type { GapReason, Joined, Position, PublicationInfo } from './types.js'

/** Publications that wait while a gap is dealt with; beyond, all of them are dropped and the gap is told again as `tooMany`. */
const MAX_BACKLOG = 1000

/** Who is told. */
export interface Audience {
  readonly events: ListenerMap<[payload: unknown, info: PublicationInfo]>
  readonly gap: Listeners<[reason: GapReason]>
}

/** The feed of one membership, across its connections. */
export interface Feed {
  /** Where to continue. Moves before a publication is delivered. */
  readonly position: Position | undefined
  /** Tells of a gap, if there is one, before it returns. */
  joined(frame: FrameOf<'JOINED'>): Joined
  /** Delivers, or keeps it for after a gap. False where it does not follow the position, by a fork or a hole: the room must be joined again. */
  receive(frame: FrameOf<'PUBLICATION'>): boolean
}

type Item = readonly [event: string, payload: unknown, info: PublicationInfo]

/** `audience` gives those who hold the membership now; `position` is where to start. */
export function createFeed<A extends Audience>(audience: ReadonlyMap<A, unknown>, position?: Position): Feed {
  let epoch = ''
  // Where the log stood on joining, and how many publications are still on their way there.
  let head: Position | undefined
  let replaying = 0
  // What came since a gap was told, and how many tellings are not over.
  let backlog: Item[] | undefined
  let waits = 0
  let dropped = false

  function deliver(item: Item): void {
    if (backlog) {
      if (backlog.push(item) > MAX_BACKLOG) {
        backlog = []
        dropped = true
      }
      return
    }
    for (const one of [...audience.keys()]) {
      if (audience.has(one)) one.events.emit(...item)
    }
  }

  function raise(reason: GapReason): void {
    backlog ??= []
    waits++
    const pending = [...audience.keys()].flatMap((one) => one.gap.emit(reason))
    void Promise.all(pending).then(resume)
  }

  function resume(): void {
    if (--waits > 0) return
    const items = backlog ?? []
    backlog = undefined
    if (dropped) raise('tooMany')
    dropped = false
    items.forEach(deliver)
  }

  return {
    get position() {
      return position
    },
    joined([, , , replayed, at, gap]) {
      epoch = at?.[0] ?? ''
      head = at ? { epoch, offset: at[1], tag: at[2] } : undefined
      replaying = replayed
      // Otherwise each replayed publication moves it, so that a connection lost half-way continues there.
      if (gap || replayed === 0) position = head
      if (gap) raise(gap as GapReason)
      return { ok: true, position: head, recovered: replayed, gap: (gap as GapReason | null) ?? undefined }
    },
    receive([, , event, payload, offset, tag]) {
      const recovered = replaying > 0
      let at: Position | undefined
      if (offset != null && tag != null) {
        at = { epoch, offset, tag }
        if (!recovered && position && offset !== position.offset + 1) {
          return offset === position.offset && tag === position.tag
        }
        position = at
      }
      if (recovered && --replaying === 0) position = head
      deliver([event, payload, { position: at, recovered }])
      return true
    },
  }
}
