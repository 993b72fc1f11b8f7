import { formatTime } from '../model/format.js'
import type { Line } from '../model/timeline.js'
import { ClockIcon, CloseIcon } from '../ui/icons.js'
import './message-line.css'

/** What one can do with a message that is not sent. */
export interface LineActions {
  /** Takes back what waits. */
  readonly onCancel: (line: Line) => void
  /** Sends again what was refused. */
  readonly onRetry: (line: Line) => void
  readonly onDiscard: (line: Line) => void
}

interface Props extends LineActions {
  readonly line: Line
}

/** One message. What is said about it stands beside it, so that nothing moves when it is sent. */
export const MessageLine = ({ line, ...actions }: Props) => (
  <li className="line" data-standing={line.standing}>
    <p className="bubble">{line.text}</p>
    <div className="line-note">
      <Note line={line} {...actions} />
    </div>
  </li>
)

function Note({ line, onCancel, onRetry, onDiscard }: Props) {
  switch (line.standing) {
    case 'sent':
      return <time dateTime={new Date(line.at).toISOString()}>{formatTime(line.at)}</time>
    case 'sending':
      return <span className="line-sending">Sending</span>
    case 'waiting':
      return (
        <>
          <span className="line-waiting" title="Waiting for connection">
            <ClockIcon />
            <span className="line-words">Waiting for connection</span>
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label="Cancel"
            title="Cancel"
            onClick={() => onCancel(line)}
          >
            <CloseIcon />
          </button>
        </>
      )
    case 'refused':
      return (
        <>
          <button type="button" className="link-button" title={line.reason} onClick={() => onRetry(line)}>
            Try again
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label="Discard"
            title="Discard"
            onClick={() => onDiscard(line)}
          >
            <CloseIcon />
          </button>
        </>
      )
  }
}
