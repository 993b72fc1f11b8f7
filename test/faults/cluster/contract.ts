/** What the nodes serve whose faults are looked at, and what a client of it would be generated from. */
import {
  type Call,
  type Descriptor,
  inbox,
  membership,
  type Position,
  presence,
  type RoomWithPresence,
  type VolatileCall,
} from '../../../client/index.js'
import { call, defineContract, event, room, Type } from '../../../contract/index.js'

const Kept = Type.Object({ epoch: Type.String(), offset: Type.Integer(), tag: Type.Integer() })
const Said = Type.Object({ id: Type.String() })
const Value = Type.Object({ id: Type.String(), key: Type.String(), value: Type.Integer() })
const In = Type.Object({ room: Type.String(), id: Type.String() })

export const contract = defineContract({
  name: 'faults',
  version: '1.0.0',
  calls: {
    // Each publishes under the id of its input, so that a repetition finds the first.
    say: call({ input: In, ack: Kept, delivery: 'repeat' }),
    notify: call({
      input: Type.Object({ user: Type.String(), id: Type.String() }),
      ack: Kept,
      delivery: 'repeat',
    }),
    set: call({
      input: Type.Object({
        ...{ room: Type.String(), id: Type.String() },
        ...{ key: Type.String(), value: Type.Integer() },
      }),
      ack: Type.Object({}),
      delivery: 'repeat',
    }),
    whisper: call({ input: In, delivery: 'volatile' }),
    echo: call({ input: Said, ack: Said }),
  },
  events: { notice: event({ payload: Said, delivery: 'recoverable' }) },
  inbox: { messages: 10_000, seconds: 600, bytes: 4_194_304 },
  rooms: {
    hall: room({
      params: Type.Object({ id: Type.String() }),
      events: {
        said: event({ payload: Said, delivery: 'recoverable' }),
        value: event({ payload: Value, delivery: 'latest', key: 'key' }),
        whispered: event({ payload: Said }),
      },
      presence: Type.Integer(),
      // More than is published while a fault lasts.
      history: { messages: 10_000, seconds: 600, bytes: 4_194_304 },
    }),
  },
})

interface Said {
  readonly id: string
}
interface In extends Said {
  readonly room: string
}
interface Value extends Said {
  readonly key: string
  readonly value: number
}

/** The calls as a generated client has them. */
export interface Calls {
  readonly say: Call<In, Position>
  readonly notify: Call<Said & { readonly user: string }, Position>
  readonly set: Call<In & Value, object>
  readonly whisper: VolatileCall<In>
  readonly echo: Call<Said, Said>
}

/** The events as a generated client has them. */
export interface Events {
  readonly notice: { readonly payload: Said; readonly delivery: 'recoverable' }
}

/** The events of a hall. */
export interface HallEvents {
  readonly said: { readonly payload: Said }
  readonly value: { readonly payload: Value }
  readonly whispered: { readonly payload: Said }
}

/** The rooms as a generated client has them. */
export interface Rooms {
  readonly hall: (params: { readonly id: string }) => RoomWithPresence<HallEvents, number>
}

/** What a generated client hands to the runtime. */
export const descriptor: Descriptor = {
  version: contract.version,
  hash: contract.hash,
  calls: {
    say: { delivery: 'repeat' },
    notify: { delivery: 'repeat' },
    set: { delivery: 'repeat' },
    whisper: { delivery: 'volatile' },
    echo: { delivery: 'attempt' },
  },
  rooms: { hall: { membership, params: ['id'], presence } },
  inbox,
}
