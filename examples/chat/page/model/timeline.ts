/** Messages as they are drawn: by day, then by author. Pure. */
import type { OutboxEntry } from 'ackord/client'
import type { ChannelId, Message } from '../chat.client.js'
import { isChannelId } from './channels.js'
import type { Feed, Refused } from './feeds.js'

/** Where a message stands. `waiting`: for a connection. `sending`: for its ack. */
export type Standing = 'sent' | 'sending' | 'waiting' | 'refused'

/** One message. */
export interface Line {
  /** The message's id; the outbox entry's while it waits. */
  readonly key: string
  readonly from: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly standing: Standing
  /** Why it was refused. */
  readonly reason?: string
}

/** What one person said without a break. */
export interface Group {
  readonly key: string
  readonly from: string
  readonly lines: readonly Line[]
}

/** One day. */
export interface Day {
  readonly key: string
  readonly at: number
  readonly groups: readonly Group[]
}

/** A group ends after this silence, in milliseconds. */
const BREAK = 5 * 60_000

/** Every message of a channel in the order it is shown: by time, and what waits behind all that. */
export function toLines(
  feed: Feed,
  outbox: readonly OutboxEntry[],
  channelId: ChannelId,
  me: string,
): Line[] {
  const settled = [
    ...feed.messages.map(fromMessage),
    ...feed.refused.map((refused) => fromRefused(refused, me)),
  ]
  return [
    ...settled.sort((a, b) => a.at - b.at),
    ...outbox.flatMap((entry) => fromOutbox(entry, channelId, me)),
  ]
}

const fromMessage = ({ id, from, text, at }: Message): Line => ({ key: id, from, text, at, standing: 'sent' })

const fromRefused = ({ key, text, at, reason }: Refused, from: string): Line => ({
  key,
  from,
  text,
  at,
  standing: 'refused',
  reason,
})

function fromOutbox({ id, call, input, at, sent }: OutboxEntry, channelId: ChannelId, from: string): Line[] {
  if (call !== 'message.send' || !isSend(input) || input.channelId !== channelId) return []
  return [{ key: id, from, text: input.text, at, standing: sent ? 'sending' : 'waiting' }]
}

/** Whether there are messages that would be lost with the page. */
export const isWaiting = (outbox: readonly OutboxEntry[]): boolean =>
  outbox.some(({ call }) => call === 'message.send')

// The outbox is one for all calls, so an entry's input is unknown to the types.
function isSend(input: unknown): input is { readonly channelId: ChannelId; readonly text: string } {
  return (
    typeof input === 'object' &&
    input !== null &&
    'channelId' in input &&
    isChannelId(input.channelId) &&
    'text' in input &&
    typeof input.text === 'string'
  )
}

/** Lines by day (of the reader's time zone), author and pauses. Keeps their order. */
export function toDays(lines: readonly Line[]): Day[] {
  const days: { key: string; at: number; groups: { key: string; from: string; lines: Line[] }[] }[] = []
  for (const line of lines) {
    let day = days.at(-1)
    if (!day || !isSameDay(day.at, line.at)) {
      day = { key: line.key, at: line.at, groups: [] }
      days.push(day)
    }
    const group = day.groups.at(-1)
    const previous = group?.lines.at(-1)
    if (group && previous && group.from === line.from && line.at - previous.at < BREAK) group.lines.push(line)
    else day.groups.push({ key: line.key, from: line.from, lines: [line] })
  }
  return days
}

const isSameDay = (a: number, b: number): boolean => new Date(a).toDateString() === new Date(b).toDateString()
