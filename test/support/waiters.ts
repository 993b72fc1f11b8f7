/** Waiting for what a test expects, with a deadline and never by time alone. */

// Taken at load, so that a test's fake timers do not stop the deadline.
const { setTimeout: set, clearTimeout: clear } = globalThis

/** Milliseconds until a wait fails; only a failing test takes that long. */
export const DEADLINE = 25_000

/** Those who wait for a change of one thing. Whoever changes it calls `wake`, and `end` when nothing can change any more. */
export class Waiters {
  readonly #looks = new Set<() => void>()
  #end: string | undefined

  /**
   * Resolves with what `look` gives as soon as that is not `undefined`. Rejects at the deadline or the end, with what was awaited
   * and what there is instead.
   */
  until<T>(look: () => T | undefined, awaited: string, state: () => string = () => ''): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clear(timer)
        this.#looks.delete(tryNow)
        act()
      }
      const fail = (why: string) =>
        settle(() => reject(new Error(`Waited for ${awaited}: ${why}. ${state()}`.trim())))
      const timer = set(() => fail(`it did not come within ${DEADLINE} ms`), DEADLINE)
      const tryNow = () => {
        const value = look()
        const end = this.#end
        if (value !== undefined) settle(() => resolve(value))
        else if (end !== undefined) fail(end)
      }
      this.#looks.add(tryNow)
      tryNow()
    })
  }

  /** Something changed: everyone looks. */
  wake(): void {
    for (const look of [...this.#looks]) look()
  }

  /** The last change: who is not content with it fails, as will those who come later. */
  end(why: string): void {
    this.#end = why
    this.wake()
  }
}
