import { expectAssignable, expectError, expectNever, expectType } from 'tsd'
import {
  type AckOf,
  type AskName,
  type CallName,
  type CallsOf,
  type Contract,
  type ContractDefinition,
  type ContractJson,
  call,
  contractFromJson,
  contractToJson,
  defineContract,
  type ErrorsOf,
  type EventName,
  type EventsOf,
  event,
  type InboxName,
  type InputOf,
  type ItemOf,
  type ParamsOf,
  type PassingName,
  type PayloadOf,
  type PresenceOf,
  type RoomEventsOf,
  type RoomName,
  type RoomsOf,
  room,
  type Tree,
  Type,
} from '../../dist/contract/index.js'

// An inbox is of recoverable events, and nothing else is in it.
const note = event({ payload: Type.String(), delivery: 'recoverable' })
const kept = defineContract({
  name: 'kept',
  version: '1',
  events: { note, ping: event({ payload: Type.Null() }) },
  inbox: { messages: 10, seconds: 60 },
})
expectType<'note'>('' as InboxName<typeof kept>)
expectType<'ping'>('' as PassingName<typeof kept>)
expectError(defineContract({ name: 'n', version: '1', inbox: { messages: 10, seconds: 60 } }))
expectError(
  defineContract({
    name: 'n',
    version: '1',
    events: { ping: event({ payload: Type.Null() }) },
    inbox: { messages: 10, seconds: 60 },
  }),
)
expectError(defineContract({ name: 'n', version: '1', events: { note }, inbox: { messages: 10 } }))
expectError(
  defineContract({
    name: 'n',
    version: '1',
    events: { note },
    inbox: { messages: 10, seconds: 60, days: 1 },
  }),
)

const Message = Type.Object(
  { id: Type.String(), from: Type.String(), text: Type.String({ maxLength: 2000 }), at: Type.Integer() },
  { $id: 'Message' },
)
interface MessageValue {
  id: string
  from: string
  text: string
  at: number
}

const chat = defineContract({
  name: 'chat',
  version: '1.0.0',
  calls: {
    'message.send': call({
      input: Type.Object({ channelId: Type.String(), text: Type.String({ minLength: 1, maxLength: 2000 }) }),
      ack: Type.Object({ id: Type.String(), at: Type.Integer() }),
      errors: { CHANNEL_CLOSED: Type.Object({ until: Type.Integer() }), MUTED: Type.Null() },
      delivery: 'once',
    }),
    'message.list': call({
      input: Type.Object({ channelId: Type.String(), before: Type.Optional(Type.Integer()) }),
      ack: Type.Array(Message),
      delivery: 'repeat',
    }),
    typing: call({ input: Type.Object({ channelId: Type.String() }), delivery: 'volatile' }),
    export: call({ input: Type.Object({}), item: Message, ack: Type.Object({ count: Type.Integer() }) }),
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
type Chat = typeof chat
type Calls = CallsOf<Chat>
type Channel = RoomsOf<Chat>['channel']

// What was written is what is there, literals included.
expectType<string>(chat.hash)
expectType<'once'>(chat.calls['message.send'].delivery)
expectType<'symbol'>(chat.rooms.channel.events.price.key)
expectAssignable<Contract>(chat)
expectAssignable<ContractDefinition>(chat)
expectError(Object.assign(chat.calls, {}).nothing)

// Names.
declare const callName: CallName<Chat>
expectType<'message.send' | 'message.list' | 'typing' | 'export'>(callName)
declare const eventName: EventName<Chat>
expectType<'order.offered' | 'mention'>(eventName)
declare const roomName: RoomName<Chat>
expectType<'channel'>(roomName)
declare const askName: AskName<Chat>
expectType<'order.offered'>(askName)

// Inputs, acks, errors, items.
declare const sendInput: InputOf<Calls['message.send']>
expectType<{ channelId: string; text: string }>(sendInput)
declare const listInput: InputOf<Calls['message.list']>
expectType<{ before?: number; channelId: string }>(listInput)
declare const sendAck: AckOf<Calls['message.send']>
expectType<{ id: string; at: number }>(sendAck)
declare const listAck: AckOf<Calls['message.list']>
expectType<MessageValue[]>(listAck)
declare const typingAck: AckOf<Calls['typing']>
expectType<void>(typingAck)
declare const sendErrors: ErrorsOf<Calls['message.send']>
expectType<{ readonly CHANNEL_CLOSED: { until: number }; readonly MUTED: null }>(sendErrors)
declare const listErrors: keyof ErrorsOf<Calls['message.list']>
expectNever(listErrors)
declare const item: ItemOf<Calls['export']>
expectType<MessageValue>(item)
declare const noItem: ItemOf<Calls['typing']>
expectNever(noItem)

// Events and rooms.
declare const offered: PayloadOf<EventsOf<Chat>['order.offered']>
expectType<{ id: string }>(offered)
declare const accepted: AckOf<EventsOf<Chat>['order.offered']>
expectType<{ accepted: boolean }>(accepted)
declare const params: ParamsOf<Channel>
expectType<{ channelId: string }>(params)
declare const roomEvents: RoomEventsOf<Channel>
expectType<{
  readonly posted: MessageValue
  readonly typing: { user: string }
  readonly price: { symbol: string; value: number }
}>(roomEvents)
declare const presence: PresenceOf<Channel>
expectType<{ status: 'here' | 'away' }>(presence)

// Dotted names as groups.
declare const tree: Tree<{ 'a.b.c': 1; 'a.b.d': 2; e: 3; 'a-b': 4 }>
expectType<1>(tree.a.b.c)
expectType<2>(tree.a.b.d)
expectType<3>(tree.e)
expectType<4>(tree['a-b'])
expectError(tree.a.c)

// A contract of nothing has no names.
const empty = defineContract({ name: 'empty', version: '1' })
declare const noCall: CallName<typeof empty>
expectNever(noCall)
declare const noRoom: RoomName<typeof empty>
expectNever(noRoom)
declare const noAsk: AskName<typeof empty>
expectNever(noAsk)
const bare = room({ params: Type.Object({}), events: {} })
declare const noPresence: PresenceOf<typeof bare>
expectNever(noPresence)

// To JSON and back.
expectType<ContractJson>(contractToJson(chat))
expectType<Contract>(contractFromJson(JSON.parse('{}')))
expectError(contractToJson({ name: 'no version' }))

// What does not compile.
const input = Type.Object({})
const payload = Type.Object({ symbol: Type.String(), value: Type.Number() })
expectError(call({}))
expectError(call({ input, delivery: 'twice' }))
expectError(call({ input, acks: Type.Null() }))
expectError(call({ input: { type: 'object' } }))
expectError(call({ input, errors: { A: 'text' } }))
expectError(event({}))
expectError(event({ payload, delivery: 'once' }))
expectError(event({ payload, delivery: 'latest' }))
expectError(event({ payload, delivery: 'latest', key: 'symbl' }))
const loose = Type.Object({ maybe: Type.Optional(Type.String()), flag: Type.Boolean(), id: Type.Integer() })
expectType<'id'>(event({ payload: loose, delivery: 'latest', key: 'id' }).key)
expectError(event({ payload: loose, delivery: 'latest', key: 'maybe' }))
expectError(event({ payload: loose, delivery: 'latest', key: 'flag' }))
expectError(event({ payload: Type.String(), delivery: 'latest', key: 'length' }))
expectError(event({ payload, key: 'symbol' }))
expectError(event({ payload, delivery: 'volatile', key: 'symbol' }))
expectError(event({ payload, delivery: 'latest', key: 'symbol', ack: Type.Null() }))
expectError(event({ payload, acks: Type.Null() }))
expectError(room({ params: Type.Object({}) }))
expectError(room({ params: Type.String(), events: {} }))
expectError(room({ params: Type.Object({}), events: {}, histroy: { messages: 1, seconds: 1 } }))
expectError(room({ params: Type.Object({}), events: {}, history: { messages: 1 } }))
expectError(defineContract({ name: 'n' }))
expectError(defineContract({ name: 'n', version: '1', routes: {} }))
expectError(defineContract({ name: 'n', version: 1 }))
expectError(defineContract({ name: 'n', version: '1', calls: { a: { input, delivery: 'twice' } } }))
