/** One room on this node: its members, and what the turn has for them. */
import { FRAMES } from '../../contract/wire/index.js'
import { type Connection, type Flushable, Message, type Mount } from '../gateway/index.js'
import type { GapReason, Position, Publication, Subscriber } from './broker.js'
import type { CompiledRoom } from './compile.js'
import type { Member } from './member.js'
import { TurnBuffer } from './turn-buffer.js'

/** Bytes of one turn after which a room hands out what it has, so that no buffer grows with a burst. */
const SEAL_BYTES = 262_144
/** Publications kept for joiners whose snapshot is under way; beyond, they read again. */
const MAX_RECENT = 1000

/** What was published while a joiner's snapshot was read; `overrun` where it was too much, and the joiner must read again. */
export interface Recent {
  readonly publications: Publication[]
  overrun: boolean
}

/** A room that has members, or somebody on the way in. */
export class Room implements Flushable, Subscriber {
  readonly key: string
  readonly definition: CompiledRoom
  readonly members = new Map<Connection, Member>()
  /** Joins under way; the room stays while there are any. */
  joining = 0
  readonly #mount: Mount
  readonly #turn = new TurnBuffer()
  readonly #keyJson: string
  #scheduled = false
  // One for each joiner whose snapshot is being read.
  readonly #recents = new Set<Recent>()

  constructor(mount: Mount, definition: CompiledRoom, key: string) {
    this.#mount = mount
    this.definition = definition
    this.key = key
    this.#keyJson = JSON.stringify(key)
  }

  /** From the broker, in order. */
  deliver(publications: readonly Publication[]): void {
    for (const recent of this.#recents) remember(recent, publications)
    if (this.members.size === 0) return
    for (const publication of publications) {
      const { except, position } = publication
      this.#turn.append({
        publication,
        message: this.encode(publication),
        instead: except === undefined ? undefined : position && this.#passOver(position),
      })
    }
    this.#schedule()
    this.#seal()
  }

  /**
   * A frame for every member on this node, at its place among the publications. A member whose connection has no room for it is closed
   * (1013). Who joins later does not get it.
   */
  tell(message: Message): void {
    if (this.members.size === 0) return
    this.#turn.append({ message })
    this.#schedule()
    this.#seal()
  }

  /**
   * From the broker: the log goes on elsewhere. Every member is told by another JOINED, behind what it was given before; joins under way
   * read again. PROTOCOL.md § Recovery.
   */
  restart(position: Position | undefined, gap: GapReason): void {
    for (const recent of this.#recents) overrun(recent)
    if (this.members.size === 0) return
    this.#schedule()
    this.#handOutAll()
    // Copied: without grouped writes a writer may flush here, and a hook that then runs may let members go.
    for (const member of [...this.members.values()]) {
      if (this.members.get(member.connection) === member) member.restart(position, gap)
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#mount.gateway.turn.addRoom(this)
  }

  // Behind `addRoom`, which without grouped writes has handed it out by now, or is in the midst of a turn: no writer flushes while this
  // loops over the members, and so no hook runs.
  #seal(): void {
    if (this.#turn.bytes >= SEAL_BYTES) this.#handOutAll()
  }

  /** A PUBLICATION, the same for every member. */
  encode(publication: Publication): Message {
    const { event, frame, position } = publication
    const pack = this.definition.events.get(event)?.payload.pack ?? this.#mount.gateway.codecs.pack
    if (frame !== undefined) return Message.ofFrame(frame, pack)
    const tail = position === undefined ? ']' : `,${position.offset},${position.tag}]`
    const head = `[${FRAMES.PUBLICATION.type},${this.#keyJson},${JSON.stringify(event)}`
    return new Message(`${head},${publication.payload}${tail}`, pack)
  }

  // For the client that is left out: its position moves on, or it would have missed its own messages after a reconnect.
  #passOver({ offset, tag }: Position): Message {
    const text = `[${FRAMES.PUBLICATION.type},${this.#keyJson},"",null,${offset},${tag}]`
    return new Message(text, this.#mount.gateway.codecs.pack)
  }

  /** The turn is over: every member's writer gets the shared bytes. */
  flush(): void {
    this.#scheduled = false
    this.#handOutAll()
  }

  #handOutAll(): void {
    if (this.#turn.length === 0) return
    for (const member of this.members.values()) {
      this.#turn.handOut(member)
      member.cursor = 0
    }
    this.#turn.clear()
  }

  /** Takes a member in: it gets what is published from now on. One that its connection has here already is over. */
  add(member: Member): void {
    const before = this.members.get(member.connection)
    if (before !== undefined) this.remove(before, true)
    member.cursor = this.#turn.length
    this.members.set(member.connection, member)
  }

  /** Lets a member go. With `last`, what was published before is handed out first, so that a LEFT can follow it. */
  remove(member: Member, last: boolean): void {
    if (last) this.#turn.handOut(member)
    member.end()
    this.members.delete(member.connection)
  }

  /** Keeps what is published from now on for one joiner, until `unwatch`. */
  watch(): Recent {
    const recent: Recent = { publications: [], overrun: false }
    this.#recents.add(recent)
    return recent
  }

  unwatch(recent: Recent): void {
    this.#recents.delete(recent)
  }
}

function remember(recent: Recent, publications: readonly Publication[]): void {
  if (recent.publications.length + publications.length > MAX_RECENT) overrun(recent)
  else if (!recent.overrun) recent.publications.push(...publications)
}

function overrun(recent: Recent): void {
  recent.overrun = true
  recent.publications.length = 0
}
