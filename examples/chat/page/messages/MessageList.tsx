import { useEffect, useMemo, useState } from 'react'
import type { ChannelId } from '../chat.client.js'
import { count, formatDay } from '../model/format.js'
import { type Line, toDays } from '../model/timeline.js'
import { DownIcon } from '../ui/icons.js'
import { MessageGroup } from './MessageGroup.js'
import './message-list.css'
import type { LineActions } from './MessageLine.js'
import { useStickToBottom } from './use-stick-to-bottom.js'

interface Props extends LineActions {
  readonly channelId: ChannelId
  readonly lines: readonly Line[]
  readonly loaded: boolean
}

/** A channel's messages. Sticks to the newest one unless the reader scrolled up. */
export function MessageList({ channelId, lines, loaded, ...actions }: Props) {
  const days = useMemo(() => toDays(lines), [lines])
  const { view, content, stuck, toBottom } = useStickToBottom()
  const missed = useMissed(lines.length, stuck)

  const newestOwn = lines.findLast(({ standing }) => standing === 'waiting' || standing === 'sending')?.key
  useEffect(() => {
    if (newestOwn !== undefined) toBottom()
  }, [newestOwn, toBottom])

  return (
    <div className="message-area">
      <div
        className="message-view"
        ref={view}
        role="log"
        aria-label={`Messages in ${channelId}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <div className="message-content" ref={content}>
          {days.map((day) => (
            <section key={day.key} className="day" aria-label={formatDay(day.at)}>
              <h2 className="day-label">
                <span>{formatDay(day.at)}</span>
              </h2>
              {day.groups.map((group) => (
                <MessageGroup key={group.key} group={group} {...actions} />
              ))}
            </section>
          ))}
          {loaded && lines.length === 0 && <Empty channelId={channelId} />}
        </div>
      </div>
      {!stuck && (
        <button type="button" className="pill" onClick={() => toBottom('auto')}>
          <DownIcon />
          {missed > 0 ? count(missed, 'new message') : 'To the newest'}
        </button>
      )}
    </div>
  )
}

const Empty = ({ channelId }: { readonly channelId: ChannelId }) => (
  <div className="empty">
    <p className="empty-title">Nothing in #{channelId} yet</p>
    <p>Say hello. Everybody who has this page open sees it.</p>
  </div>
)

/** How many lines came since the reader scrolled up. */
function useMissed(length: number, stuck: boolean): number {
  const [seen, setSeen] = useState(length)
  if (stuck && seen !== length) setSeen(length)
  return Math.max(0, length - seen)
}
