import Fastify from 'fastify'
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import { call, defineContract, event, room, Type } from '../../dist/contract/index.js'
import {
  type Answer,
  ackord,
  ClusterError,
  type ClusterErrorCode,
  type LiveCount,
  type MemberInfo,
  namespace,
  type Position,
} from '../../dist/plugins/index.js'

const Message = Type.Object({ id: Type.String(), text: Type.String() })
const chat = defineContract({
  name: 'chat',
  version: '1.0.0',
  calls: {
    'message.send': call({
      input: Type.Object({ channelId: Type.String(), text: Type.String() }),
      ack: Type.Object({ id: Type.String(), at: Type.Integer() }),
      errors: { CHANNEL_CLOSED: Type.Object({ until: Type.Integer() }) },
      delivery: 'once',
    }),
    'message.list': call({ input: Type.Object({ channelId: Type.String() }), ack: Type.Array(Message) }),
    typing: call({ input: Type.Object({}), delivery: 'volatile' }),
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
        typing: event({ payload: Type.Object({ user: Type.String() }) }),
      },
      history: { messages: 10, seconds: 10 },
    }),
  },
})

const live = namespace(chat, {
  path: '/chat',
  authenticate: async ({ token, upgrade }) => {
    expectType<string>(token)
    expectType<string>(upgrade.ip)
    return { id: token, role: 'member' as 'member' | 'admin' }
  },
  data: (user) => {
    expectType<'member' | 'admin'>(user.role)
    return { seen: 0 }
  },
})

const messages = live.calls({
  'message.send': async (input, { user, fail, rooms, signal, operationId, connection, log }) => {
    expectType<string>(input.text)
    expectType<'member' | 'admin'>(user.role)
    expectType<AbortSignal>(signal)
    expectType<string>(operationId)
    expectType<number>(connection.data.seen)
    log.info('typed')
    if (input.text === '') fail('CHANNEL_CLOSED', { until: 1 })
    const channel = rooms.channel({ channelId: input.channelId })
    expectType<Promise<Position | undefined>>(
      channel.publish('posted', { id: '1', text: 'x' }, { except: connection }),
    )
    expectError(channel.publish('posted', { id: 1 }))
    expectError(channel.publish('nope', {}))
    expectError(rooms.channel({ id: 'a' }))
    expectError(rooms.other({}))
    expectError(fail('NOPE', {}))
    expectError(fail('CHANNEL_CLOSED', { until: 'x' }))
    return { id: '1', at: 1 }
  },
})
const rest = live.calls({ 'message.list': () => [], typing: () => {} })
const rooms = live.rooms({
  channel: {
    join: ({ channelId }, { user }) => {
      expectType<string>(channelId)
      return user.role === 'admin'
    },
  },
})

// What fail throws ends the handler: nothing behind it is reachable.
live.calls({
  'message.send': (input, { fail }) => {
    if (input.text === '') fail('CHANNEL_CLOSED', { until: 1 })
    return { id: input.text, at: 1 }
  },
})

expectError(live.calls({ 'message.send': () => ({ id: 'a', at: 'x' }) }))
expectError(live.calls({ 'message.lst': () => [] }))
expectError(live.plugin({ calls: { ...messages }, rooms }))
expectError(live.plugin({ calls: { ...messages, ...rest } }))
expectError(live.plugin({ calls: { ...messages, ...rest }, rooms: { channel: {} } }))
expectError(namespace(chat, { path: '/x', authenticate: () => ({ name: 'no id' }) }))
expectError(namespace(chat, { path: '/x', authenticate: 'nobody' }))

const app = Fastify()
app.register(ackord, { allowedOrigins: ['https://app.example.com'] })
app.register(live.plugin({ calls: { ...messages, ...rest }, rooms }), { prefix: '/v1' })
expectError(app.register(ackord, { allowedOrigin: ['https://app.example.com'] }))

const mounted = app.ackord(live)
expectType<Promise<number>>(mounted.revoke({ user: '1' }))
expectType<Promise<number>>(mounted.revoke({ session: '1' }, { mode: 'reauthorize' }))
expectType<Promise<number>>(mounted.revoke({ tokenId: '1', expiresAt: 1 }, { mode: 'close' }))
expectError(mounted.revoke({ user: 1 }))
expectError(mounted.revoke({ users: '1' }))
expectError(mounted.revoke({}))
expectError(mounted.revoke({ user: '1' }, { mode: 'kick' }))
namespace(chat, {
  path: '/x',
  authenticate: ({ token }) => ({ id: token, role: 'member' as 'member' | 'admin' }),
  reauthorize: async (user, scope) => {
    expectType<'member' | 'admin'>(user.role)
    scope.log.info('typed')
    return user.role === 'admin' ? { ...user, role: 'member' as const } : null
  },
  tokenLead: 10_000,
  reauthorizeEvery: 30_000,
  tickets: false,
})
namespace(chat, {
  path: '/x',
  jwt: { algorithms: ['RS256'], audience: ['a', 'b'], issuer: 'c', requireExp: true },
})
expectError(namespace(chat, { path: '/x', jwt: { aud: 'a' } }))
expectError(
  namespace(chat, {
    path: '/x',
    authenticate: () => ({ id: '1', role: 'member' }),
    reauthorize: () => ({ id: '1' }),
  }),
)
expectError(namespace(chat, { path: '/x', tokenLead: '10s' }))
for (const connection of mounted.connections()) {
  expectType<'member' | 'admin'>(connection.user.role)
  expectType<number>(connection.data.seen)
  expectType<number>(connection.buffered)
  expectType<string>(connection.session)
  connection.disconnect('revoked')
  expectError(connection.disconnect('whatever'))
}
expectType<Promise<Answer<{ accepted: boolean }>>>(
  mounted.user('1').ask('order.offered', { id: '1' }, { timeout: 5000 }),
)
expectType<Promise<Position>>(mounted.user('1').send('mention', { id: '1', text: 'x' }))
expectType<Promise<Position>>(mounted.user('1').send('mention', { id: '1', text: 'x' }, { id: 'once' }))
expectType<Promise<undefined>>(mounted.user('1').send('order.offered', { id: '1' }))
expectType<Promise<void>>(mounted.all.send('order.offered', { id: '1' }))
// A recoverable event goes into the inbox of one user.
expectError(mounted.all.send('mention', { id: '1', text: 'x' }))
expectError(mounted.user('1').send('mention', { id: '1', text: 'x' }, { key: 'once' }))
expectError(mounted.user('1').send('order.offered', { id: '1', text: 1 }, { except: 'x' }))
for (const connection of mounted.connections()) {
  expectType<boolean>(connection.send('order.offered', { id: '1' }))
  expectError(connection.send('mention', { id: '1', text: 'x' }))
}
expectError(mounted.user('1').ask('mention', { id: '1', text: 'x' }))
expectError(mounted.user('1').send('mention', { id: 1 }))
expectError(mounted.all.send('nope', {}))

async function answers() {
  for await (const { node, member, answer } of mounted.room
    .channel({ channelId: 'a' })
    .askAll('order.offered', { id: '1' })) {
    expectType<string>(node)
    expectType<MemberInfo | undefined>(member)
    if (answer.status === 'answered') expectType<boolean>(answer.value.accepted)
    if (answer.status === 'failed') expectType<string>(answer.code)
  }
}
expectAssignable<() => Promise<void>>(answers)

// Rooms and counts are of all nodes; connections are of this one.
expectType<Promise<LiveCount>>(mounted.count())
const channel = mounted.room.channel({ channelId: 'a' })
expectType<Promise<readonly MemberInfo[]>>(channel.members())
for (const { user } of channel.connections()) expectType<'member' | 'admin'>(user.role)
async function evictions() {
  for (const member of await channel.members()) {
    expectType<string>(member.user)
    expectType<number>(await channel.evict(member, 'revoked'))
  }
}
expectAssignable<() => Promise<void>>(evictions)
for (const connection of channel.connections()) expectType<Promise<number>>(channel.evict(connection))
expectType<Promise<number>>(channel.evict('user'))
expectError(channel.evict({ user: '1' }))
expectError(channel.evict('user', 'closed'))
expectError(mounted.all.askAll('mention', { id: '1', text: 'x' }))
expectType<ClusterErrorCode>(new ClusterError('UNAVAILABLE').code)

// Without calls and rooms nothing has to be given.
const bare = namespace(defineContract({ name: 'bare', version: '1.0.0' }), { path: '/bare' })
app.register(bare.plugin({}))
expectType<string>([...app.ackord(bare).connections()].map(({ user }) => user.id).join())

// A namespace of another contract is not this one.
expectNotAssignable<typeof live>(bare)
