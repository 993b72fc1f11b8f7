/** Why a room cannot be continued after a position: `gap` of JOINED. PROTOCOL.md § Recovery. */
export const GAPS = ['epoch', 'forked', 'trimmed', 'tooMany'] as const

/** One of them. */
export type GapReason = (typeof GAPS)[number]
