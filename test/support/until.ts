/** Waits for what another side does in its own time: until it has happened, or the test is over. */
import { vi } from 'vitest'

/** Resolves once `condition` holds. Longer than any test may take: a busy machine is not a failure. */
export const until = (condition: () => unknown): Promise<unknown> =>
  vi.waitUntil(condition, { timeout: 60_000, interval: 5 })
