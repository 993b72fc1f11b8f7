/** What a run's lines are held to. */
import type { GapReason } from '../../../../client/index.js'

/** What a fault may do. All else is a complaint. */
export interface Rules {
  /** The reasons of gaps that may be told. */
  readonly gaps: readonly GapReason[]
  /** Whether an acked publication may be gone from the log in the end, as where a primary dies before it has replicated it. */
  readonly loses: boolean
  /** Whether in the end the connections of each member are counted right; otherwise only who is there. */
  readonly counts: boolean
  /** Milliseconds for which somebody who is there all the time may be out of sight. */
  readonly flickers: number
}

/** What can be wrong. */
export type Kind =
  | 'unsettled'
  | 'twice'
  | 'nothing'
  | 'jump'
  | 'double'
  | 'reason'
  | 'gap'
  | 'tag'
  | 'missing'
  | 'lost'
  | 'ack'
  | 'order'
  | 'latest'
  | 'stranger'
  | 'ghost'
  | 'absent'
  | 'flicker'
  | 'state'
  | 'counts'
  | 'away'
  | 'late'

/** One thing that is wrong. */
export interface Complaint {
  readonly kind: Kind
  readonly text: string
}

/** Takes complaints. */
export type Complain = (kind: Kind, text: string) => void
