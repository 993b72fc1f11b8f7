/** What the members, the newcomers and the server of the storm have agreed on. */
import { call, defineContract, event, room, Type } from '../../contract/index.js'

const At = Type.Object({ at: Type.Number() })

/** One call and one room. */
export const contract = defineContract({
  name: 'shed',
  version: '1.0.0',
  calls: { echo: call({ input: At, ack: At }) },
  rooms: { ticks: room({ params: Type.Object({}), events: { tick: event({ payload: At }) } }) },
})

/** Where it is served. */
export const PATH = '/live'

/** HELLO; `token` where the upgrade did not carry it. */
export const hello = (session: string, token?: string): string =>
  JSON.stringify([1, session, contract.hash, contract.version, [], ...(token === undefined ? [] : [token])])

/** Monotonic milliseconds that every process of this machine shares. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
