/** What one side may name in HELLO or WELCOME, so that the other uses it. PROTOCOL.md § Growth. */
export const FEATURES = {
  /** Keeps a ledger: a call of delivery 'once' may be sent again under its operation. */
  once: { by: 'server' },
  /** Opens its next connection when GOAWAY comes, and leaves this one when nothing waits on it. PROTOCOL.md § Drain. */
  goaway: { by: 'client' },
  /** Answers TOKEN `wanted` with a fresh token. */
  token: { by: 'client' },
} as const satisfies Readonly<Record<string, { readonly by: 'client' | 'server' | 'both' }>>

/** The name of a feature. */
export type Feature = keyof typeof FEATURES
