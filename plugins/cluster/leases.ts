/** Who is alive, from what can be seen of them: counters that each node raises and all look at, on the observer's own clock. */
import { BEAT_MS, type ClusterNode, LOST_MS, MAX_NODES, type NodeEvent } from './cluster.js'

/** Milliseconds without a look after which the observer itself was away: it cannot tell who else was. */
const MISSED_MS = 3 * BEAT_MS

/** What a node says of itself. */
export interface Lease {
  readonly node: string
  /** Another one with each sign of life. */
  readonly counter: number
  readonly generation: number
  readonly counts: Readonly<Record<string, number>>
}

interface Seen extends Lease {
  /** The observer's time at which the counter moved, or at which the wait for it began anew. */
  readonly at: number
  readonly isLost: boolean
  /** What it left here could not be cleared. */
  readonly isOwed: boolean
}

/** What one node knows of the others. Takes its time as an argument; does no I/O. */
export class Leases {
  readonly #node: string
  readonly #seen = new Map<string, Seen>()
  // Their names are not used again. What was under way when they left may still show them. At most MAX_NODES.
  readonly #left = new Set<string>()
  #looked = Number.NEGATIVE_INFINITY
  #isAfresh = true

  constructor(node: string) {
    this.#node = node
  }

  /** What was seen was not the whole: everybody's time starts again with the next look. */
  interrupted(): void {
    this.#isAfresh = true
  }

  /** All leases there are, at one time. A node that is not among them did not move. Returns what it means. */
  look(leases: readonly Lease[], now: number): Array<{ event: NodeEvent; node: string }> {
    const events: Array<{ event: NodeEvent; node: string }> = []
    const isAfresh = this.#isAfresh || now - this.#looked > MISSED_MS
    this.#isAfresh = false
    this.#looked = now
    const there = new Map(leases.map((lease) => [lease.node, lease]))
    for (const [node, lease] of there) {
      const seen = this.#seen.get(node)
      if (seen === undefined ? !this.#isNew(node) : seen.counter === lease.counter || this.#left.has(node))
        continue
      this.#seen.set(node, { ...lease, at: now, isLost: false, isOwed: false })
      if (seen === undefined || seen.isLost) events.push({ event: 'joined', node })
    }
    for (const [node, seen] of this.#seen) {
      if (seen.at === now) continue
      // Cleared by another node.
      if (seen.isLost && !seen.isOwed && !there.has(node)) this.#seen.delete(node)
      else if (isAfresh) this.#seen.set(node, { ...seen, at: now })
      else if (now - seen.at >= LOST_MS) {
        this.#seen.set(node, { ...seen, at: now, isLost: true })
        events.push({ event: 'lost', node })
      }
    }
    return events
  }

  /** A node says that it has come. True where it was not known. */
  joined(lease: Lease, now: number): boolean {
    const seen = this.#seen.get(lease.node)
    if (seen === undefined ? !this.#isNew(lease.node) : !seen.isLost) return false
    this.#seen.set(lease.node, { ...lease, at: now, isLost: false, isOwed: false })
    return true
  }

  #isNew(node: string): boolean {
    return node !== this.#node && !this.#left.has(node) && this.#seen.size < MAX_NODES
  }

  /** A node says that it stops. True where it was known. */
  left(node: string): boolean {
    const [oldest] = this.#left
    if (oldest !== undefined && this.#left.size >= MAX_NODES) this.#left.delete(oldest)
    this.#left.add(node)
    const seen = this.#seen.get(node)
    this.#seen.delete(node)
    return seen !== undefined && !seen.isLost
  }

  /** What a node that is gone has left was cleared here, or could not be: then it is lost again, though nobody else may know of it any more. */
  cleared(node: string, isCleared: boolean, now: number): void {
    const seen = this.#seen.get(node)
    if (seen?.isLost) this.#seen.set(node, { ...seen, isOwed: !isCleared })
    // One that said good-bye is kept for this only.
    else if (seen === undefined && !isCleared && this.#seen.size < MAX_NODES)
      this.#seen.set(node, {
        node,
        counter: 0,
        generation: 0,
        counts: {},
        at: now,
        isLost: true,
        isOwed: true,
      })
  }

  /** The counter under which a node was lost; undefined where it is not. */
  lostAt(node: string): number | undefined {
    const seen = this.#seen.get(node)
    return seen?.isLost ? seen.counter : undefined
  }

  /** The others that are alive. */
  alive(): ClusterNode[] {
    return [...this.#seen.values()]
      .filter(({ isLost }) => !isLost)
      .map(({ node, counts }) => ({ id: node, counts }))
  }

  /** See `Cluster.isAlive`; of others. */
  isAlive(node: string, generation: number | undefined): boolean {
    const seen = this.#seen.get(node)
    if (seen === undefined || seen.isLost) return false
    // A higher one is news that has not yet been seen here.
    return generation === undefined || generation >= seen.generation
  }
}
