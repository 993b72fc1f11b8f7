/** Asks the application for a token. PROTOCOL.md § Tokens. */
import type { Report } from './listeners.js'
import type { ClientOptions } from './types.js'

/**
 * Makes what asks for a fresh token: null where there is no `token` option or it gives none. Rejects where it fails; that is reported once, until
 * it has given a token again.
 */
export function createTokens({ token }: ClientOptions, report: Report): () => Promise<string | null> {
  let told = false
  return async () => {
    try {
      const given: unknown = (await token?.()) ?? null
      if (given !== null && typeof given !== 'string') throw new TypeError('token() must return a string')
      told = false
      return given
    } catch (error) {
      if (!told) report(error)
      told = true
      throw error
    }
  }
}
