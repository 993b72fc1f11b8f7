/** Callbacks at the public edge: who listens, and that one who throws harms nobody else. */

/** Takes what no promise can carry. */
export type Report = (error: unknown) => void

/** Stops listening. Safe to repeat. */
export type Unsubscribe = () => void

/** The listeners of one thing. */
export interface Listeners<A extends readonly unknown[]> {
  /** The same function added twice is told twice. */
  add(listener: (...args: A) => unknown): Unsubscribe
  /**
   * Tells all that listen now and were not removed meanwhile. A throw is reported. Returns the promises of those that
   * returned one; they do not reject.
   */
  emit(...args: A): Promise<unknown>[]
}

/** Makes an empty list. */
export function createListeners<A extends readonly unknown[]>(report: Report): Listeners<A> {
  const entries = new Set<{ readonly listener: (...args: A) => unknown }>()
  return {
    add(listener) {
      const entry = { listener }
      entries.add(entry)
      return () => {
        entries.delete(entry)
      }
    },
    emit(...args) {
      const pending: Promise<unknown>[] = []
      for (const entry of [...entries]) {
        if (!entries.has(entry)) continue
        try {
          const result = entry.listener(...args)
          if (result instanceof Promise) pending.push(result.catch(report))
        } catch (error) {
          report(error)
        }
      }
      return pending
    },
  }
}

/** Listeners by the name of what they listen to. */
export interface ListenerMap<A extends readonly unknown[]> {
  add(name: string, listener: (...args: A) => unknown): Unsubscribe
  emit(name: string, ...args: A): void
}

/** Lists are made when first needed. */
export function createListenerMap<A extends readonly unknown[]>(report: Report): ListenerMap<A> {
  const lists = new Map<string, Listeners<A>>()
  return {
    add(name, listener) {
      const list = lists.get(name) ?? createListeners<A>(report)
      lists.set(name, list)
      return list.add(listener)
    },
    emit: (name, ...args) => {
      lists.get(name)?.emit(...args)
    },
  }
}

/** Tells subscribers that something changed. */
export interface Notice {
  subscribe(listener: () => void): Unsubscribe
  /** However often within one turn, subscribers are told once, after it: never in the middle of a change. */
  changed(): void
}

/** Makes a notice without subscribers. */
export function createNotice(report: Report): Notice {
  const listeners = createListeners<[]>(report)
  let due = false
  return {
    subscribe: listeners.add,
    changed() {
      if (due) return
      due = true
      queueMicrotask(() => {
        due = false
        listeners.emit()
      })
    },
  }
}
