import { formatTime } from '../model/format.js'
import type { Group } from '../model/timeline.js'
import { useSession } from '../session/use-session.js'
import { Avatar } from '../ui/Avatar.js'
import { type LineActions, MessageLine } from './MessageLine.js'
import './message-group.css'

interface Props extends LineActions {
  readonly group: Group
}

/** What one person said without a break: who and when once, then each message. */
export function MessageGroup({ group, ...actions }: Props) {
  const { name } = useSession()
  const mine = group.from === name
  const at = group.lines[0]?.at
  return (
    <div className="group" data-mine={mine || undefined}>
      {!mine && <Avatar name={group.from} />}
      <div className="group-head">
        <span className={mine ? 'visually-hidden' : 'group-author'}>{mine ? 'You' : group.from}</span>
        {at !== undefined && <time dateTime={new Date(at).toISOString()}>{formatTime(at)}</time>}
      </div>
      <ul className="group-lines">
        {group.lines.map((line) => (
          <MessageLine key={line.key} line={line} {...actions} />
        ))}
      </ul>
    </div>
  )
}
