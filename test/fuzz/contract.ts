/** One of everything that a contract may have. No test library: it runs in a process of its own. */
import { call, defineContract, event, room, Type } from '../../contract/index.js'

const Room = Type.Object({ id: Type.String({ maxLength: 20 }) })
const Said = Type.Object({ n: Type.Integer(), text: Type.String({ maxLength: 1000 }) }, { $id: 'Said' })

/** Served by `server.ts`. */
export const contract = defineContract({
  name: 'fuzz',
  version: '1.0.0',
  calls: {
    echo: call({
      input: Type.Object({ text: Type.String({ maxLength: 1000 }) }),
      ack: Type.Object({ text: Type.String() }),
    }),
    'group.keep': call({ input: Said, ack: Type.Array(Said), delivery: 'repeat' }),
    'group.add': call({ input: Said, ack: Type.Null(), delivery: 'once' }),
    nudge: call({ input: Said, delivery: 'volatile' }),
    later: call({ input: Type.Object({ ms: Type.Integer({ minimum: 0, maximum: 20 }) }), ack: Type.Null() }),
    refuse: call({
      input: Type.Object({ ounces: Type.Integer() }),
      errors: { TEAPOT: Type.Object({ ounces: Type.Integer() }) },
    }),
    bytes: call({
      input: Type.Object({ bytes: Type.Uint8Array({ maxByteLength: 1000 }) }),
      ack: Type.Object({ bytes: Type.Uint8Array() }),
    }),
    count: call({
      input: Type.Object({ to: Type.Integer({ minimum: 0, maximum: 50 }), fails: Type.Boolean() }),
      item: Said,
      ack: Type.Object({ count: Type.Integer() }),
      errors: { TIRED: Type.Object({ at: Type.Integer() }) },
    }),
    limited: call({ input: Type.Object({}), ack: Type.Null() }),
    say: call({ input: Type.Object({ room: Room, said: Said, how: Type.Integer() }), ack: Type.Null() }),
    evict: call({ input: Room, ack: Type.Integer() }),
    takeIn: call({ input: Room, ack: Type.Null() }),
    askBack: call({ input: Type.Object({ id: Type.String() }), ack: Type.String() }),
    end: call({ input: Type.Object({ how: Type.Integer({ minimum: 0, maximum: 4 }) }), ack: Type.Null() }),
  },
  events: {
    notice: event({ payload: Said }),
    offer: event({
      payload: Type.Object({ id: Type.String() }),
      ack: Type.Object({ accepted: Type.Boolean() }),
    }),
  },
  rooms: {
    channel: room({
      params: Room,
      events: {
        posted: event({ payload: Said, delivery: 'recoverable' }),
        typing: event({ payload: Said }),
        price: event({ payload: Said, delivery: 'latest', key: 'n' }),
      },
      history: { messages: 50, seconds: 60 },
    }),
    closed: room({ params: Room, events: { typing: event({ payload: Said }) } }),
  },
})

/** The declared errors of the calls. */
export const DECLARED: ReadonlySet<string> = new Set(['TEAPOT', 'TIRED'])
/** The tokens that are refused; every other is a user of its own, `for-N-…` for N ms. */
export const REFUSED_TOKENS: ReadonlySet<string> = new Set(['', 'bad'])
