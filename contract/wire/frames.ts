/**
 * Every frame of the protocol, declared once: its number, who sends it and its elements. Types and
 * checks on both sides are inferred from this declaration. PROTOCOL.md § Frames.
 */

/** A place in a room's log. On the wire: `[epoch, offset, tag]`. PROTOCOL.md § Positions. */
export type WirePosition = readonly [epoch: string, offset: number, tag: number]

/** A 'once' operation: `[producer, number, low, maybeSent]`. PROTOCOL.md § Operations. */
export type WireOperation = readonly [producer: string, number: number, low: number, maybeSent: boolean]

/** A member as PRESENCE and JOINED tell of it: state null until it has set one. PROTOCOL.md § Presence. */
export type WireMember = readonly [user: string, state: unknown, connections: number]

/** What a server grants a connection, in WELCOME: frames in flight, bytes a frame, BEAT interval in ms. */
export interface WireLimits {
  readonly inFlight: number
  readonly bytes: number
  readonly heartbeat: number
}

/** The longest text that names something (a call, a room, a session, a code), in UTF-16 units. */
export const MAX_TEXT = 1024
/** The longest token, in UTF-16 units. */
export const MAX_TOKEN = 16_384
/** The largest presence state, in bytes of JSON text. PROTOCOL.md § Presence. */
export const STATE_BYTES = 4096

type Guard<T> = (value: unknown) => value is T

/** What an element of a frame must be. One that may be absent or null takes `undefined`, no other does. */
export type Field = Guard<unknown>

// Guards are values that the table names, so that a bundle carries those of the frames it receives and no others.
const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
/** Correlates within one connection; rises from 1. */
const seq = (value: unknown): value is number => count(value) && value !== 0
const text = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TEXT
const token = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TOKEN
const value = (value: unknown): value is unknown => value !== undefined
const list: Guard<readonly unknown[]> = Array.isArray
const object = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !list(value) && !(value instanceof Uint8Array)
const texts = (value: unknown): value is readonly string[] =>
  list(value) && value.length <= 64 && value.every(text)
const position = (value: unknown): value is WirePosition =>
  list(value) && text(value[0]) && count(value[1]) && count(value[2])
const operation = (value: unknown): value is WireOperation =>
  list(value) && text(value[0]) && count(value[1]) && count(value[2]) && typeof value[3] === 'boolean'
const user = (value: unknown): value is string => typeof value === 'string'
const users = (value: unknown): value is readonly string[] => list(value) && value.every(user)
const member = (value: unknown): value is WireMember => list(value) && user(value[0]) && seq(value[2])
const members = (value: unknown): value is readonly WireMember[] => list(value) && value.every(member)
const limits = (value: unknown): value is WireLimits =>
  object(value) && count(value.inFlight) && count(value.bytes) && count(value.heartbeat)

/** Only for the types: nothing has this member. */
type Optional<T> = Guard<T | null | undefined> & { readonly optional: true }

/* @__NO_SIDE_EFFECTS__ */
const optional = <T>(is: Guard<T>): Optional<T> =>
  ((value: unknown) => value == null || is(value)) as Optional<T>

/** Who sends a frame. */
export type Side = 'client' | 'server'

type Elements<F extends readonly unknown[]> = F extends readonly [infer Head, ...infer Rest]
  ? Head extends Optional<infer T>
    ? [(T | null | undefined)?, ...Elements<Rest>]
    : Head extends Guard<infer T>
      ? [T, ...Elements<Rest>]
      : never
  : []

/** One row of the table. */
export interface FrameSpec {
  readonly type: number
  readonly from: Side
  readonly fields: readonly Field[]
}

/* @__NO_SIDE_EFFECTS__ */
const client = <const T extends number, const F extends readonly Field[]>(type: T, ...fields: F) =>
  ({ type, from: 'client', fields }) as const

/* @__NO_SIDE_EFFECTS__ */
const server = <const T extends number, const F extends readonly Field[]>(type: T, ...fields: F) =>
  ({ type, from: 'server', fields }) as const

/** The frames a client sends. */
export const CLIENT_FRAMES = {
  HELLO: client(1, text, text, text, texts, optional(token)),
  CALL: client(2, seq, text, value, optional(count), optional(operation)),
  CANCEL: client(3, seq),
  CREDIT: client(4, seq, seq),
  ANSWER: client(5, seq, value, optional(text)),
  JOIN: client(6, seq, text, object, optional(position), optional(count)),
  LEAVE: client(7, seq),
  PRESENCE: client(8, seq, value),
  TOKEN: client(9, token),
  BEAT: client(10),
} as const

/** The frames a server sends. One of the same name as a client's has its own number and an `S_` key. */
export const SERVER_FRAMES = {
  WELCOME: server(17, text, limits, texts, text, count),
  ACK: server(18, seq, value),
  FAIL: server(19, seq, text, value, optional(count)),
  ITEM: server(20, seq, value),
  EVENT: server(21, text, value, optional(seq)),
  JOINED: server(22, count, text, count, optional(position), optional(text), optional(members)),
  PUBLICATION: server(23, text, text, value, optional(count), optional(count)),
  S_PRESENCE: server(24, text, members, members, users),
  S_TOKEN: server(25, text, optional(count)),
  S_BEAT: server(26),
  LEFT: server(27, text, text),
  GOAWAY: server(28, text, count),
  STATE: server(29, text),
} as const

/** All frames. */
export const FRAMES: typeof CLIENT_FRAMES & typeof SERVER_FRAMES = /* @__PURE__ */ Object.assign(
  {},
  CLIENT_FRAMES,
  SERVER_FRAMES,
)

/** The name of a frame, as in PROTOCOL.md (with `S_` where both sides use the word). */
export type FrameName = keyof typeof FRAMES

/** The tuple of one frame: its number, then its elements. */
export type FrameOf<N extends FrameName> = N extends FrameName
  ? readonly [(typeof FRAMES)[N]['type'], ...Elements<(typeof FRAMES)[N]['fields']>]
  : never

type NamesFrom<S extends Side> = {
  [N in FrameName]: (typeof FRAMES)[N]['from'] extends S ? N : never
}[FrameName]

/** Any frame a client may send. */
export type ClientFrame = FrameOf<NamesFrom<'client'>>
/** Any frame a server may send. */
export type ServerFrame = FrameOf<NamesFrom<'server'>>

/** Unknown frame types in this range are ignored, so that the protocol can grow. PROTOCOL.md § Growth. */
export const IGNORED_TYPES = { from: 64, to: 95 } as const

/** The code that a frame breaking its declaration closes with, and an unknown one outside `IGNORED_TYPES`. */
export const MALFORMED = 4500
const UNKNOWN_FRAME = 4501

/** What a frame check found: fine, to be ignored, or the code to close with. */
export type FrameVerdict = 'ok' | 'ignored' | number

/**
 * Makes the check for the frames of a table. The check looks at the type and each declared element; elements beyond
 * the declaration are ignored. PROTOCOL.md § Growth.
 */
export function frameChecker(specs: Readonly<Record<string, FrameSpec>>): (value: unknown) => FrameVerdict {
  const table = new Map(Object.values(specs).map((spec) => [spec.type, spec.fields]))
  return (value) => {
    if (!list(value) || !count(value[0])) return MALFORMED
    const type = value[0]
    const fields = table.get(type)
    if (fields === undefined) {
      return type >= IGNORED_TYPES.from && type <= IGNORED_TYPES.to ? 'ignored' : UNKNOWN_FRAME
    }
    for (let i = 0; i < fields.length; i++) {
      if (!fields[i]?.(value[i + 1])) return MALFORMED
    }
    return 'ok'
  }
}
