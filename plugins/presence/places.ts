/** Under which name this node writes, and what it clears of others. docs/decisions/presence.md. */
import type { Cluster } from '../cluster/index.js'
import type { Place, PresenceStore } from './store.js'

/** What presence needs of the cluster. */
export type PresenceCluster = Pick<
  Cluster,
  'node' | 'generation' | 'nodes' | 'isAlive' | 'onNode' | 'onGeneration'
>

/** One per app. */
export class Places {
  readonly #cluster: PresenceCluster
  readonly #store: PresenceStore
  readonly #onChange: () => void
  readonly #onError: (error: unknown) => void
  #raised = 0

  /** `onChange`: this node writes under another place from now on; whatever it has in the store has to be written again. */
  constructor(
    cluster: PresenceCluster,
    store: PresenceStore,
    onChange: () => void,
    onError: (error: unknown) => void,
  ) {
    this.#cluster = cluster
    this.#store = store
    this.#onChange = onChange
    this.#onError = onError
    cluster.onGeneration(() => this.#changed())
    cluster.onNode((event, node) => (event === 'joined' ? undefined : this.#clear(node)))
  }

  /** Where this node writes. */
  get own(): Place {
    const { node, generation } = this.#cluster
    return { node, generation: Math.max(generation, this.#raised) }
  }

  /** Whether other nodes are alive. */
  get hasOthers(): boolean {
    return this.#cluster.nodes().length > 1
  }

  /** Others have given up what is below this generation, or this node does. */
  raise(lowest: number): void {
    if (lowest <= this.own.generation) return
    this.#raised = lowest
    this.#changed()
  }

  #changed(): void {
    this.#onChange()
    void this.clearOwn()
  }

  /** Clears what this node wrote under earlier generations. Rejects never: what fails is done the next time. */
  async clearOwn(): Promise<void> {
    const { node } = this.own
    try {
      await this.#store.sweep(node, (generation) => generation < this.own.generation)
    } catch (error) {
      this.#onError(error)
    }
  }

  // The cluster tells again where this rejects on every node.
  #clear(node: string): Promise<void> {
    return this.#store.sweep(node, (generation) => !this.#cluster.isAlive(node, generation))
  }
}
