import { createContext, useContext } from 'react'
import type { Session } from './session.js'

/** The session of the page below. */
export const SessionContext = createContext<Session | undefined>(undefined)

/** The session. Throws outside of `SessionContext`. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('useSession outside of SessionContext')
  return session
}
