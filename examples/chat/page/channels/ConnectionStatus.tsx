import type { ConnectionSnapshot } from 'ackord/client'
import { useConnection } from 'ackord/react'
import { useLayoutEffect, useState } from 'react'
import { useSession } from '../session/use-session.js'
import './connection-status.css'

/** How the connection is, in few words; its place stays the same size. */
export function ConnectionStatus() {
  const { chat } = useSession()
  const connection = useConnection(chat)
  const seconds = useCountdown(connection)
  const { tone, text } = describe(connection)
  return (
    <div className="status" data-tone={tone}>
      <span className="status-dot" aria-hidden="true" />
      <span role="status">{text}</span>
      {/* Not in the live region: nobody wants to hear every second. */}
      {isRetrying(connection) && (
        <span className="status-seconds" data-hidden={seconds === undefined || undefined}>
          in {seconds ?? 0} s
        </span>
      )}
      {(isRetrying(connection) || connection.state === 'closed') && (
        <button
          type="button"
          className="link-button"
          data-hidden={connection.state === 'connecting' || undefined}
          onClick={() => chat.connection.connect()}
        >
          Try now
        </button>
      )}
    </div>
  )
}

/** From the first failed attempt to the next connection; what is shown keeps its place meanwhile. */
const isRetrying = ({ state, attempt }: ConnectionSnapshot): boolean =>
  state === 'waiting' || (state === 'connecting' && attempt > 0)

function describe(connection: ConnectionSnapshot): { tone: 'good' | 'busy' | 'bad'; text: string } {
  const { state, attempt, degraded } = connection
  switch (state) {
    case 'open':
      return degraded ? { tone: 'busy', text: 'Messages wait' } : { tone: 'good', text: 'Connected' }
    case 'idle':
    case 'connecting':
      return { tone: 'busy', text: attempt > 0 ? 'Reconnecting' : 'Connecting' }
    case 'waiting':
      return navigator.onLine ? { tone: 'busy', text: 'Reconnecting' } : { tone: 'bad', text: 'Offline' }
    case 'closing':
    case 'closed':
      return { tone: 'bad', text: 'Disconnected' }
  }
}

/** Whole seconds until the next attempt; undefined when none is planned. */
function useCountdown(connection: ConnectionSnapshot): number | undefined {
  const [seconds, setSeconds] = useState<number>()
  // Before the browser paints, so that words and number come together.
  useLayoutEffect(() => {
    if (connection.retryIn === undefined) return setSeconds(undefined)
    const due = performance.now() + connection.retryIn
    const show = () => setSeconds(Math.max(0, Math.ceil((due - performance.now()) / 1000)))
    show()
    const timer = setInterval(show, 1000)
    return () => clearInterval(timer)
  }, [connection])
  return seconds
}
