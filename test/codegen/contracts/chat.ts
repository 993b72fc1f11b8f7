/** The contract that the documentation shows. */
import { call, defineContract, event, room, Type } from '../../../contract/index.js'

const Message = Type.Object(
  { id: Type.String(), from: Type.String(), text: Type.String({ maxLength: 2000 }), at: Type.Integer() },
  { $id: 'Message', description: 'What somebody said in a channel.' },
)

export default defineContract({
  name: 'chat',
  version: '1.0.0',
  description: 'Channels, and who talks in them.',
  calls: {
    'message.send': call({
      description: 'Says something in a channel.',
      input: Type.Object({ channelId: Type.String(), text: Type.String({ minLength: 1, maxLength: 2000 }) }),
      ack: Type.Object({ id: Type.String(), at: Type.Integer({ description: 'Milliseconds since 1970.' }) }),
      errors: { CHANNEL_CLOSED: Type.Object({ until: Type.Integer() }) },
      delivery: 'once',
    }),
    'message.list': call({
      input: Type.Object({ channelId: Type.String(), before: Type.Optional(Type.String()) }),
      ack: Type.Array(Message),
      delivery: 'repeat',
    }),
    typing: call({ input: Type.Object({ channelId: Type.String() }), delivery: 'volatile' }),
    leave: call({ input: Type.Object({}) }),
    export: call({
      description: 'Everything that was said, oldest first.',
      input: Type.Object({ channelId: Type.String() }),
      item: Message,
      ack: Type.Object({ count: Type.Integer() }),
    }),
  },
  events: {
    'order.offered': event({
      payload: Type.Object({ id: Type.String() }),
      ack: Type.Object({ accepted: Type.Boolean() }),
    }),
    mention: event({ payload: Message, delivery: 'recoverable' }),
  },
  rooms: {
    channel: room({
      params: Type.Object({ channelId: Type.String() }),
      events: {
        posted: event({ payload: Message, delivery: 'recoverable' }),
        typing: event({ payload: Type.Object({ user: Type.String() }), delivery: 'volatile' }),
        price: event({
          payload: Type.Object({ symbol: Type.String(), value: Type.Number() }),
          delivery: 'latest',
          key: 'symbol',
        }),
      },
      presence: Type.Object({ status: Type.Union([Type.Literal('here'), Type.Literal('away')]) }),
      history: { messages: 1000, seconds: 600, bytes: 1_048_576 },
    }),
  },
})
