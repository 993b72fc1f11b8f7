/** What the parts of a client share. */
import type { Calls } from './calls.js'
import type { Link } from './connection.js'
import type { AnyEvents } from './events.js'
import type { Rooms } from './rooms.js'
import type { Settings } from './settings.js'

/** One client. */
export interface Core {
  readonly link: Link
  readonly settings: Settings
  readonly calls: Calls
  readonly events: AnyEvents
  /** Made by the first part that needs it: see `roomsOf`. */
  rooms: Rooms | undefined
}
