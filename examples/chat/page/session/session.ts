/** Who uses this tab, and their client. */
import { type Chat, createChat } from '../chat.client.js'

/** A signed-in person. */
export interface Session {
  readonly name: string
  readonly chat: Chat
}

const KEY = 'chat.name'

/** There is no server at the moment. */
class Unreachable extends Error {}

/** Signs in over HTTP. Rejects with a text for people. */
export async function fetchToken(name: string): Promise<string> {
  const response = await fetch('/sign-in', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  }).catch(() => {
    throw new Unreachable('The server cannot be reached. Is it running?')
  })
  const body: unknown = await response.json().catch(() => undefined)
  if (typeof body === 'object' && body !== null && 'token' in body && typeof body.token === 'string') {
    return body.token
  }
  throw new Error(`The server did not accept that name (${response.status}).`)
}

/** Starts a session. The client asks for a fresh token whenever it connects, so a restarted server is no matter. */
export function startSession(name: string): Session {
  sessionStorage.setItem(KEY, name)
  const url = new URL('/chat', location.href.replace(/^http/, 'ws')).href
  const chat = createChat(url, {
    token: () => fetchToken(name),
    // Without a server there is no token either; the client tries both again, and says so by its state.
    onError: (error) => error instanceof Unreachable || reportError(error),
  })
  return { name, chat }
}

/** Ends it: what still waits is given up. */
export function endSession({ chat }: Session): void {
  sessionStorage.removeItem(KEY)
  chat.close()
}

/** The session of before a reload. By tab: two tabs can be two people. */
export function restoreSession(): Session | undefined {
  const name = sessionStorage.getItem(KEY)
  return name === null ? undefined : startSession(name)
}
