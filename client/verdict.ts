/** Why an upgrade was refused: a browser does not say, so the same path is asked by a plain GET. PROTOCOL.md § After a refusal. */
import { retryOf } from '../contract/wire/close-codes.js'
import { socketUrl } from './host.js'
import type { Loss } from './state.js'
import type { FetchLike } from './types.js'

/** What a status of the table means, as the close code of the same meaning. 404 has none: it is a lost connection. */
const CODES: Readonly<Record<number, number>> = {
  401: 4506,
  403: 4507,
  404: 1006,
  426: 4511,
  429: 1013,
  503: 1013,
}

/** So much of an answer is read, in UTF-16 units: a verdict is shorter by far. */
const MAX_BODY = 16_384

/** The JSON of an answer, `undefined` for one that is too long. */
async function jsonOf({ body }: Awaited<ReturnType<FetchLike>>): Promise<unknown> {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (text.length <= MAX_BODY) {
    const part = await reader?.read()
    if (!part || part.done) return JSON.parse(text)
    text += decoder.decode(part.value, { stream: true })
  }
  // What is left unread ends with `signal`.
  return undefined
}

/**
 * Asks once, until `signal` aborts; `subprotocol` is what was offered. `undefined` where there is no verdict: offline, or an answer that a browser hides or that is not
 * ackord's. Does not reject.
 */
export async function askVerdict(
  fetch: FetchLike,
  url: string,
  subprotocol: string,
  credentials: 'same-origin' | 'include',
  signal: AbortSignal,
): Promise<Loss | undefined> {
  try {
    const address = socketUrl(url).replace(/^ws/, 'http')
    const response = await fetch(address, { credentials, cache: 'no-store', signal })
    const { status } = response
    const known = CODES[status]
    if (known === undefined) return undefined
    const body: Record<string, unknown> = Object(await jsonOf(response))
    if (body.statusCode !== status || typeof body.message !== 'string') return undefined
    // The GET would have been let in, by a server that speaks what we speak: something on the way ate the upgrade.
    const eaten = Array.isArray(body.protocols) && body.protocols.includes(subprotocol)
    const code = eaten ? 1006 : known
    return {
      code,
      reason: body.message.slice(0, 200),
      retry: status === 404 ? 'slow' : retryOf(code),
      after: Number(body.retryAfter) * 1000,
    }
  } catch {
    // Nothing to tell: that there is no connection is known already, and it is tried again.
    return undefined
  }
}
