/** What clients and the run write down, one JSON line each. */
import type { GapReason, Position } from '../../../client/index.js'

/** How what a call publishes is delivered; `none` where it publishes nothing. */
export type Delivery = 'recoverable' | 'latest' | 'volatile' | 'none'

/** A member as a client sees it. */
export type Seen = readonly [user: string, state: number | null, connections: number]

interface Common {
  /** Milliseconds of a monotonic clock that all processes of the machine share. */
  readonly t: number
  /** The client; empty where the run itself wrote it. */
  readonly who: string
}

/** `room` is a hall's id, or `@` and a user: their inbox. */
export type Line = Common &
  (
    | {
        readonly type: 'call'
        readonly id: string
        readonly delivery: Delivery
        readonly room: string
        readonly key?: string
        readonly value?: number
      }
    /** `tries`: how often it was called until then. */
    | { readonly type: 'acked'; readonly id: string; readonly tries: number; readonly position?: Position }
    | { readonly type: 'failed'; readonly id: string; readonly code: string }
    | { readonly type: 'join'; readonly room: string; readonly user: string }
    | { readonly type: 'joined'; readonly room: string; readonly position: Position }
    /** By the client's own wish, or the server's. */
    | { readonly type: 'left'; readonly room: string; readonly reason: string }
    | {
        readonly type: 'event'
        readonly room: string
        readonly id: string
        readonly position?: Position
        readonly key?: string
        readonly value?: number
      }
    | { readonly type: 'gap'; readonly room: string; readonly reason: GapReason }
    | { readonly type: 'shows'; readonly room: string; readonly state: number }
    | { readonly type: 'sees'; readonly room: string; readonly members: readonly Seen[] }
    | {
        readonly type: 'connection'
        readonly state: string
        readonly degraded: boolean
        readonly code?: number
      }
    | { readonly type: 'error'; readonly text: string }
    /** What the run did. */
    | { readonly type: 'fault'; readonly what: string }
    /** From `t` on this user is nowhere any more; nobody may see them once `within` ms are over. */
    | { readonly type: 'gone'; readonly room: string; readonly user: string; readonly within: number }
    /** Nothing was called any more, and so many ms later all had heard the same; `isEven` false: they still had not. */
    | { readonly type: 'quiet'; readonly ms: number; readonly isEven: boolean }
    /** Everything that was to be waited for has come: what is not there now never comes. */
    | { readonly type: 'end' }
  )

/** A line without what every line has. */
export type Entry = Line extends infer L ? (L extends Line ? Omit<L, keyof Common> : never) : never

/** The clock of all lines. */
export const lineTime = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
