/** What a runtime may offer: a browser has all of it, Node some. */
import type { FetchLike, WebSocketClass } from './types.js'

interface Host {
  readonly WebSocket?: WebSocketClass
  readonly fetch?: FetchLike
  readonly location?: { readonly href: string }
  readonly addEventListener?: (type: 'online', listener: () => void) => void
  readonly removeEventListener?: (type: 'online', listener: () => void) => void
  readonly reportError?: (error: unknown) => void
  readonly crypto: { getRandomValues(array: Uint32Array): Uint32Array }
  readonly console: { error(error: unknown): void }
}

/** The runtime this runs in; its members are looked up when used, not at load. */
export const host: Host = globalThis as unknown as Host

/** A random number, 0 ≤ n < 1, 32 bits of it good for ids. */
export const systemRandom = (): number => (host.crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32

/** At least 128 random bits, as 25 characters of `0–9 a–z`. */
export const createId = (random: () => number): string =>
  Array.from({ length: 25 }, () => Math.floor(random() * 36).toString(36)).join('')

/** The address of the socket: `ws:` and `wss:` as they are, `http:` and `https:` made so, paths by the page's address. */
export const socketUrl = (url: string): string =>
  new URL(url, host.location?.href).href.replace(/^http/, 'ws')
