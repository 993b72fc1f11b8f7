/** What the server and the peers of the long runs have agreed on. No test library: it runs in a process of its own. */
import { call, defineContract, event, room, Type } from '../../contract/index.js'

const Text = Type.Object({ text: Type.String() })

/** One call and one room. */
export const contract = defineContract({
  name: 'long',
  version: '1.0.0',
  calls: { echo: call({ input: Text, ack: Text }) },
  rooms: { hall: room({ params: Type.Object({}), events: { said: event({ payload: Text }) } }) },
})

/** HELLO. */
export const hello = (session: string, token?: string): readonly unknown[] => [
  1,
  session,
  contract.hash,
  contract.version,
  [],
  ...(token === undefined ? [] : [token]),
]
