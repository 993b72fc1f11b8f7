/**
 * Every frame of the protocol, declared once: its number, who sends it and its elements. Types and
 * checks on both sides are inferred from this declaration. PROTOCOL.md § Frames.
 */

/** A place in a room's log. On the wire: `[epoch, offset, tag]`. PROTOCOL.md § Positions. */
export type WirePosition = readonly [epoch: string, offset: number, tag: number]

/** A 'once' operation: `[producer, number, low, maybeSent]`. PROTOCOL.md § Operations. */
export type WireOperation = readonly [producer: string, number: number, low: number, maybeSent: boolean]

/** What a server grants a connection, in WELCOME: frames in flight, bytes a frame, BEAT interval in ms. */
export interface WireLimits {
  readonly inFlight: number
  readonly bytes: number
  readonly heartbeat: number
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= MAX_TEXT
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The longest text that names something (a call, a room, a session, a code), in UTF-16 units. */
export const MAX_TEXT = 1024
/** The longest token, in UTF-16 units. */
export const MAX_TOKEN = 16_384

/** What an element may be. A trailing `?` in a declaration makes it optional (absent or null). */
const KINDS = {
  /** Correlates within one connection; rises from 1. */
  seq: (value: unknown): value is number => isCount(value) && value !== 0,
  count: (value: unknown): value is number => isCount(value),
  text: (value: unknown): value is string => isText(value),
  texts: (value: unknown): value is readonly string[] =>
    Array.isArray(value) && value.length <= 64 && value.every(isText),
  token: (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TOKEN,
  value: (_value: unknown): _value is unknown => true,
  object: (value: unknown): value is Record<string, unknown> => isObject(value),
  list: (value: unknown): value is readonly unknown[] => Array.isArray(value),
  position: (value: unknown): value is WirePosition =>
    Array.isArray(value) && value.length >= 3 && isText(value[0]) && isCount(value[1]) && isCount(value[2]),
  operation: (value: unknown): value is WireOperation =>
    Array.isArray(value) &&
    value.length >= 4 &&
    isText(value[0]) &&
    isCount(value[1]) &&
    isCount(value[2]) &&
    typeof value[3] === 'boolean',
  limits: (value: unknown): value is WireLimits =>
    isObject(value) && isCount(value.inFlight) && isCount(value.bytes) && isCount(value.heartbeat),
} as const

type Kinds = { [K in keyof typeof KINDS]: (typeof KINDS)[K] extends (v: unknown) => v is infer T ? T : never }
type Field = keyof Kinds | `${keyof Kinds}?`

/** Who sends a frame. */
export type Side = 'client' | 'server'

type Elements<F extends readonly string[]> = F extends readonly [infer Head, ...infer Rest extends string[]]
  ? Head extends `${infer Kind extends keyof Kinds}?`
    ? [(Kinds[Kind] | null)?, ...Elements<Rest>]
    : Head extends keyof Kinds
      ? [Kinds[Head], ...Elements<Rest>]
      : never
  : []

/** One row of the table. */
export interface FrameSpec {
  readonly type: number
  readonly from: Side
  readonly fields: readonly Field[]
}

const frame = <const T extends number, const S extends Side, const F extends readonly Field[]>(
  type: T,
  from: S,
  ...fields: F
) => ({ type, from, fields })

/** The frames. A server frame of the same name as a client frame has its own number and an `S_` key. */
export const FRAMES = {
  HELLO: frame(1, 'client', 'text', 'text', 'text', 'texts', 'token?'),
  CALL: frame(2, 'client', 'seq', 'text', 'value', 'count?', 'operation?'),
  CANCEL: frame(3, 'client', 'seq'),
  CREDIT: frame(4, 'client', 'seq', 'seq'),
  ANSWER: frame(5, 'client', 'seq', 'value', 'text?'),
  JOIN: frame(6, 'client', 'seq', 'text', 'object', 'position?', 'count?'),
  LEAVE: frame(7, 'client', 'seq'),
  PRESENCE: frame(8, 'client', 'seq', 'value'),
  TOKEN: frame(9, 'client', 'token'),
  BEAT: frame(10, 'client'),

  WELCOME: frame(17, 'server', 'text', 'limits', 'texts', 'text', 'count'),
  ACK: frame(18, 'server', 'seq', 'value'),
  FAIL: frame(19, 'server', 'seq', 'text', 'value', 'count?'),
  ITEM: frame(20, 'server', 'seq', 'value'),
  EVENT: frame(21, 'server', 'text', 'value', 'seq?'),
  JOINED: frame(22, 'server', 'count', 'text', 'count', 'position?', 'text?', 'value?'),
  PUBLICATION: frame(23, 'server', 'text', 'text', 'value', 'count?', 'count?'),
  S_PRESENCE: frame(24, 'server', 'text', 'list', 'list', 'list'),
  S_TOKEN: frame(25, 'server', 'text', 'count?'),
  S_BEAT: frame(26, 'server'),
  LEFT: frame(27, 'server', 'text', 'text'),
  GOAWAY: frame(28, 'server', 'text', 'count'),
  STATE: frame(29, 'server', 'text'),
} as const

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

interface CompiledFrame {
  readonly required: number
  readonly checks: ReadonlyArray<{ readonly is: (value: unknown) => boolean; readonly optional: boolean }>
}

const compile = (from: Side): ReadonlyMap<number, CompiledFrame> =>
  new Map(
    (Object.values(FRAMES) as FrameSpec[])
      .filter((spec) => spec.from === from)
      .map((spec) => {
        const checks = spec.fields.map((field) => ({
          is: KINDS[field.replace('?', '') as keyof Kinds],
          optional: field.endsWith('?'),
        }))
        return [spec.type, { required: checks.filter((check) => !check.optional).length, checks }]
      }),
  )

/** What a frame check found: fine, to be ignored, or why not. */
export type FrameVerdict = 'ok' | 'ignored' | 'unknown' | 'malformed'

/**
 * Makes the check for frames sent by one side. The check looks at the type, the arity and each declared
 * element; elements beyond the declaration are ignored. PROTOCOL.md § Growth.
 */
export function frameChecker(from: Side): (value: unknown) => FrameVerdict {
  const table = compile(from)
  return (value) => {
    if (!Array.isArray(value) || !isCount(value[0])) return 'malformed'
    const type: number = value[0]
    const spec = table.get(type)
    if (spec === undefined) {
      return type >= IGNORED_TYPES.from && type <= IGNORED_TYPES.to ? 'ignored' : 'unknown'
    }
    if (value.length <= spec.required) return 'malformed'
    for (let i = 0; i < spec.checks.length; i++) {
      const check = spec.checks[i]
      const element: unknown = value[i + 1]
      if (check === undefined || (check.optional && element == null)) continue
      if (!check.is(element)) return 'malformed'
    }
    return 'ok'
  }
}
