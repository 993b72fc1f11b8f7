import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import { WebSocket as WsWebSocket } from 'ws'
import {
  type Call,
  type CallFailure,
  type Client,
  type ClientOptions,
  type ConnectionSnapshot,
  createClient,
  type Descriptor,
  Failure,
  type GapReason,
  inbox,
  type Joined,
  type Member,
  membership,
  type OutboxEntry,
  type Position,
  type PublicationInfo,
  presence,
  type Result,
  type Room,
  type RoomState,
  type RoomWithPresence,
  type VolatileCall,
  type WebSocketClass,
} from '../../dist/client/index.js'
import {
  type RoomView,
  useConnection,
  useEvent,
  useOutbox,
  usePresence,
  useRoom,
} from '../../dist/client/react/index.js'

// As the generator prints it.
interface ChatCalls {
  readonly message: {
    readonly send: Call<
      { channelId: string; text: string },
      { id: string; at: number },
      { readonly CHANNEL_CLOSED: { until: number } }
    >
  }
  readonly typing: VolatileCall<{ channelId: string }>
  readonly ping: Call<Record<never, never>, void>
}
interface ChatEvents {
  readonly 'order.offered': { readonly payload: { id: string }; readonly ack: { accepted: boolean } }
  readonly mention: { readonly payload: { text: string }; readonly delivery: 'recoverable' }
  readonly news: { readonly payload: string }
}
interface ChannelEvents {
  readonly posted: { readonly payload: { text: string } }
}
interface ChatRooms {
  readonly channel: (params: {
    channelId: string
  }) => RoomWithPresence<ChannelEvents, { status: 'here' | 'away' }>
  readonly lobby: (params: Record<never, never>) => Room<ChannelEvents>
}
type Chat = Client<ChatCalls, ChatEvents, ChatRooms>

const descriptor = {
  version: '1.0.0',
  hash: '0123456789abcdef',
  calls: {
    'message.send': { delivery: 'once' },
    typing: { delivery: 'volatile' },
    ping: { delivery: 'attempt' },
  },
  rooms: {
    channel: { membership, params: ['channelId'], presence },
    lobby: { membership, params: [] },
  },
  inbox,
} satisfies Descriptor

const chat: Chat = createClient<ChatCalls, ChatEvents, ChatRooms>(descriptor, 'wss://x', {
  token: async () => 'token',
  inbox: { since: { epoch: 'e', offset: 1, tag: 2 }, last: 5 },
})
// A file generated before says what it lacks.
expectNotAssignable<Descriptor>({ version: '', hash: '', calls: {}, rooms: { a: { params: [] } } })

// ---- calls
expectType<Promise<{ id: string; at: number }>>(chat.calls.message.send({ channelId: 'a', text: 'b' }))
expectType<void>(chat.calls.typing({ channelId: 'a' }))
expectType<Promise<void>>(chat.calls.ping({}))
expectError(chat.calls.message.send({ channelId: 'a' }))
expectError(chat.calls.message.send({ channelId: 'a', text: 'b', extra: 1 }))
expectError(chat.calls.message.send({ channelId: 'a', text: 'b' }, { retries: 1 }))
expectError(chat.calls.typing.result({ channelId: 'a' }))
expectError(chat.calls.nothing({}))
void chat.calls.message.send(
  { channelId: 'a', text: 'b' },
  { signal: new AbortController().signal, timeout: 1, ttl: 1 },
)

const result = await chat.calls.message.send.result({ channelId: 'a', text: 'b' })
expectAssignable<Result<{ id: string; at: number }, { readonly CHANNEL_CLOSED: { until: number } }>>(result)
if (result.ok) {
  expectType<string>(result.value.id)
} else {
  const { error } = result
  expectAssignable<Error>(error)
  expectType<boolean>(error.retry)
  expectType<number | undefined>(error.retryAfter)
  if (error.code === 'CHANNEL_CLOSED') expectType<number>(error.data.until)
  if (error.code === 'INVALID_INPUT') expectType<string>(error.data.pointer)
  if (error.code === 'INTERNAL') expectType<string>(error.data.id)
  if (error.code === 'OFFLINE') expectType<null>(error.data)
  expectNotAssignable<typeof error.code>('NO_SUCH_CODE')
}
expectAssignable<CallFailure<Record<never, never>>>(new Failure('x', 'TIMEOUT', null))
expectNotAssignable<CallFailure<Record<never, never>>>(new Failure('x', 'NO_SUCH_CODE', null))

// ---- events
expectType<() => void>(
  chat.events.on('mention', (mention, { position, recovered }) => {
    expectType<{ text: string }>(mention)
    expectType<Position | undefined>(position)
    expectType<boolean>(recovered)
  }),
)
expectType<() => void>(chat.events.on('news', (news) => expectType<string>(news)))
expectError(chat.events.on('news', (_news: string, info: PublicationInfo) => info))
chat.events.onGap((reason) => expectType<GapReason>(reason))
type Plain = Client<ChatCalls, Pick<ChatEvents, 'news'>, ChatRooms>
expectError(({} as Plain).events.onGap(() => {}))
expectError(createClient<ChatCalls, ChatEvents, ChatRooms>(descriptor, 'wss://x', { inbox: { since: 4 } }))
expectError(chat.events.on('posted', () => {}))
chat.events.on('order.offered', ({ id }) => expectType<string>(id))
chat.events.handle('order.offered', async ({ id }) => ({ accepted: id === 'a' }))
chat.events.handle('order.offered', () => ({ accepted: true }))
expectError(chat.events.handle('order.offered', () => ({ accepted: 'yes' })))
expectError(chat.events.handle('mention', () => ({})))

// ---- rooms
const room = chat.rooms.channel({ channelId: 'a' })
expectType<RoomWithPresence<ChannelEvents, { status: 'here' | 'away' }>>(room)
expectAssignable<Room<ChannelEvents>>(room)
expectError(chat.rooms.channel({}))
room.on('posted', (message, { position, recovered }) => {
  expectType<string>(message.text)
  expectType<Position | undefined>(position)
  expectType<boolean>(recovered)
})
expectError(room.on('mention', () => {}))
room.onGap(async (reason) => expectType<GapReason>(reason))
expectType<RoomState>(room.state)
const joined = await room.join({ since: { epoch: 'e', offset: 1, tag: 2 }, last: 50 })
expectType<Joined>(joined)
if (joined.ok) expectType<GapReason | undefined>(joined.gap)
else if (joined.error.code === 'FORBIDDEN') expectType<null>(joined.error.data)
expectError(room.join({ since: { offset: 1 } }))

// ---- presence
expectType<readonly Member<{ status: 'here' | 'away' }>[]>(room.presence.get())
for (const { user, state, connections } of room.presence.get()) {
  expectType<string>(user)
  expectType<{ status: 'here' | 'away' } | undefined>(state)
  expectType<number>(connections)
}
expectType<() => void>(room.presence.subscribe(() => {}))
expectType<void>(room.presence.set({ status: 'away' }))
expectError(room.presence.set({ status: 'gone' }))
expectError(room.presence.set({}))
expectError(room.presence.set({ status: 'here', mood: 'fine' }))
expectError(room.presence.get().push({ user: 'a', state: undefined, connections: 1 }))
expectError(chat.rooms.lobby({}).presence)

// ---- connection and outbox
expectType<boolean>(chat.connection.get().degraded)
expectType<ConnectionSnapshot>(chat.connection.get())
expectType<readonly OutboxEntry[]>(chat.outbox.entries())
expectType<boolean>(chat.outbox.cancel('1'))

// ---- options
expectAssignable<WebSocketClass>(WsWebSocket)
expectAssignable<ClientOptions>({ WebSocket: WsWebSocket, backoff: { base: 1 }, outbox: { ttl: 1 } })
expectNotAssignable<ClientOptions>({ token: 'not a function' })

// ---- react
function View(): null {
  expectType<ConnectionSnapshot>(useConnection(chat))
  expectType<readonly OutboxEntry[]>(useOutbox(chat))
  const view = useRoom(chat.rooms.channel, { channelId: 'a' }, { last: 5 })
  expectType<RoomView<RoomWithPresence<ChannelEvents, { status: 'here' | 'away' }>>>(view)
  expectType<readonly Member<{ status: 'here' | 'away' }>[]>(usePresence(view.room))
  expectError(usePresence(useRoom(chat.rooms.lobby, {}).room))
  expectError(useRoom(chat.rooms.channel, { channel: 'a' }))
  useEvent(view.room, 'posted', (message, info) => {
    expectType<{ text: string }>(message)
    expectType<PublicationInfo>(info)
  })
  useEvent(chat, 'mention', (mention, { position }) => {
    expectType<{ text: string }>(mention)
    expectType<Position | undefined>(position)
  })
  useEvent(chat, 'news', (news) => expectType<string>(news))
  expectError(useEvent(chat, 'news', (_news: string, info: PublicationInfo) => info))
  useEvent({} as Plain, 'news', (news) => expectType<string>(news))
  expectError(useEvent(view.room, 'mention', () => {}))
  expectError(useEvent(chat, 'posted', () => {}))
  return null
}
expectType<() => null>(View)
