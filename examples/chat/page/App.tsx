import { useState } from 'react'
import { Chat } from './Chat.js'
import { isWaiting } from './model/timeline.js'
import { SignIn } from './session/SignIn.js'
import { endSession, restoreSession, startSession } from './session/session.js'
import { SessionContext } from './session/use-session.js'

/** The page: a name first, then the chat. */
export function App() {
  const [session, setSession] = useState(restoreSession)
  if (!session) return <SignIn onSignIn={(name) => setSession(startSession(name))} />
  const leave = () => {
    if (isWaiting(session.chat.outbox.entries()) && !confirm('Some messages are not sent yet. Drop them?'))
      return
    endSession(session)
    setSession(undefined)
  }
  return (
    <SessionContext value={session}>
      <Chat onLeave={leave} />
    </SessionContext>
  )
}
