/** What the servers that are drained serve, and what a client of it would be generated from. */
import { type Call, type Descriptor, type StreamCall, stream } from '../../client/index.js'
import { call, defineContract, event, room, Type } from '../../contract/index.js'

const Work = Type.Object({
  id: Type.String(),
  /** How long it takes, in ms; without end where that is negative. */
  ms: Type.Integer(),
})
/** Who did it. */
const Done = Type.Object({ node: Type.String() })

export const contract = defineContract({
  name: 'drain',
  version: '1.0.0',
  calls: {
    attempt: call({ input: Work, ack: Done }),
    repeat: call({ input: Work, ack: Done, delivery: 'repeat' }),
    once: call({ input: Work, ack: Done, delivery: 'once' }),
    count: call({
      input: Type.Object({ id: Type.String(), items: Type.Integer(), ms: Type.Integer() }),
      item: Type.Object({ n: Type.Integer() }),
      ack: Done,
    }),
  },
  rooms: {
    hall: room({
      params: Type.Object({}),
      events: {
        said: event({ payload: Type.Object({ text: Type.String() }), delivery: 'recoverable' }),
        noise: event({ payload: Type.Object({ text: Type.String() }) }),
      },
      history: { messages: 100, seconds: 60 },
    }),
  },
})

interface Work {
  readonly id: string
  readonly ms: number
}
interface Done {
  readonly node: string
}
/** The calls as a generated client has them. */
export interface Calls {
  readonly attempt: Call<Work, Done>
  readonly repeat: Call<Work, Done>
  readonly once: Call<Work, Done>
  readonly count: StreamCall<Work & { readonly items: number }, { readonly n: number }, Done>
}

/** What a generated client hands to the runtime. */
export const descriptor: Descriptor = {
  version: contract.version,
  hash: contract.hash,
  calls: {
    attempt: { delivery: 'attempt' },
    repeat: { delivery: 'repeat' },
    once: { delivery: 'once' },
    count: { delivery: 'attempt', stream },
  },
  rooms: {},
}
