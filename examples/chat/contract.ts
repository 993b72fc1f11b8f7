/** What the chat's server and page agree on. `npx ackord generate` makes page/chat.client.ts from it. */
import { call, defineContract, event, room, type Static, Type } from 'ackord/contract'

const ChannelId = Type.Union([Type.Literal('general'), Type.Literal('random'), Type.Literal('support')], {
  $id: 'ChannelId',
})

const Message = Type.Object(
  {
    id: Type.String(),
    from: Type.String(),
    text: Type.String({ maxLength: 2000 }),
    at: Type.Integer({ description: 'Milliseconds since 1970; rises within a channel.' }),
  },
  { $id: 'Message' },
)

const Topic = Type.Object(
  { channelId: ChannelId, text: Type.String({ maxLength: 120 }), by: Type.String() },
  { $id: 'Topic' },
)

/** One of the channels. */
export type ChannelId = Static<typeof ChannelId>
/** A message as everybody sees it. */
export type Message = Static<typeof Message>

export default defineContract({
  name: 'chat',
  version: '1.0.0',
  calls: {
    'message.send': call({
      description: 'Says something. Queued while offline; never said twice.',
      input: Type.Object({ channelId: ChannelId, text: Type.String({ minLength: 1, maxLength: 2000 }) }),
      ack: Type.Object({ id: Type.String(), at: Type.Integer() }),
      errors: {
        SLOW_DOWN: Type.Object({ seconds: Type.Integer({ description: 'Try again after these.' }) }),
      },
      delivery: 'once',
    }),
    'message.list': call({
      description: 'The newest messages of a channel, oldest first.',
      input: Type.Object({ channelId: ChannelId }),
      ack: Type.Array(Message),
      delivery: 'repeat',
    }),
    'topic.set': call({
      description: 'Says what a channel is about. Not worth a queue: it fails when there is no connection.',
      input: Type.Object({ channelId: ChannelId, text: Type.String({ maxLength: 120 }) }),
      delivery: 'attempt',
    }),
    typing: call({
      description: 'Somebody writes. Only worth something now.',
      input: Type.Object({ channelId: ChannelId }),
      delivery: 'volatile',
    }),
  },
  rooms: {
    channel: room({
      params: Type.Object({ channelId: ChannelId }),
      events: {
        posted: event({ payload: Message, delivery: 'recoverable' }),
        topic: event({ payload: Topic, delivery: 'latest', key: 'channelId' }),
        typing: event({ payload: Type.Object({ user: Type.String() }), delivery: 'volatile' }),
      },
      presence: Type.Object({ away: Type.Boolean({ description: 'Nobody looks at the page.' }) }),
      history: { messages: 500, seconds: 3600 },
    }),
  },
})
