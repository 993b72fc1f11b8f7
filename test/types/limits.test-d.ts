import Fastify from 'fastify'
import { Cluster, Redis } from 'ioredis'
import { expectError, expectType } from 'tsd'
import { call, defineContract, Type } from '../../dist/contract/index.js'
import { ackord, type Limits, namespace, type Stats } from '../../dist/plugins/index.js'

const chat = defineContract({
  name: 'chat',
  version: '1.0.0',
  calls: {
    'message.send': call({ input: Type.Object({ text: Type.String() }), delivery: 'once' }),
    typing: call({ input: Type.Object({}), delivery: 'volatile' }),
  },
})
const live = namespace(chat, { path: '/chat', authenticate: 'none' })
const calls = live.calls({ 'message.send': () => {}, typing: () => {} })

live.plugin({ calls, limits: { 'message.send': { max: 20, seconds: 10 } } })
live.plugin({ calls, limits: { typing: { max: 20, seconds: 10, per: 'connection' } } })
live.plugin({
  calls,
  limits: {
    'message.send': [
      { max: 20, seconds: 10, per: 'user' },
      { max: 1000, seconds: 60, per: 'address' },
    ],
    '*': { max: 100, seconds: 1 },
  },
})
const limits: Limits<typeof chat> = { '*': { max: 1, seconds: 1 } }
live.plugin({ calls, limits })

expectError(live.plugin({ calls, limits: { 'message.sent': { max: 20, seconds: 10 } } }))
expectError(live.plugin({ calls, limits: { message: { send: { max: 20, seconds: 10 } } } }))
expectError(live.plugin({ calls, limits: { typing: { max: 20 } } }))
expectError(live.plugin({ calls, limits: { typing: { max: '20', seconds: 10 } } }))
expectError(live.plugin({ calls, limits: { typing: { max: 20, seconds: 10, per: 'country' } } }))
expectError(live.plugin({ calls, limits: { typing: { max: 20, seconds: 10, window: 5 } } }))
expectError(live.plugin({ calls, limits: { typing: [20, 10] } }))

const app = Fastify()
app.register(ackord, { redis: new Redis(), statsEvery: 60_000, floodAfter: 100 })
app.register(ackord, { redis: new Cluster([{ host: 'one', port: 6379 }]) })
expectError(app.register(ackord, { redis: 'redis://localhost' }))
expectError(app.register(ackord, { redis: {} }))

const stats = app.ackord.stats()
expectType<Stats>(stats)
expectType<number>(stats.connections.open)
expectType<number | undefined>(stats.namespaces['/chat']?.calls['message.send']?.OK?.count)
expectError(stats.connections.closed)
app.ackordGateway.addHook('onAnswer', ({ call, code, ms }) => {
  expectType<string>(call.name)
  expectType<string>(code)
  expectType<number>(ms)
})
app.ackordGateway.addHook('onRefuse', ({ mount, ip, status, code }) => {
  expectType<string>(mount.path)
  expectType<string | undefined>(ip)
  expectType<number>(status)
  expectType<string>(code)
})
app.ackordGateway.addHook('onBackpressure', (connection, what, count) => {
  expectType<string>(connection.id)
  expectType<'dropped' | 'closed' | 'paused' | 'overloaded'>(what)
  expectType<number>(count)
})
