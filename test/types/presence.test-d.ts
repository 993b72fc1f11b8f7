import Fastify from 'fastify'
import { expectError, expectType } from 'tsd'
import { defineContract, room, Type } from '../../dist/contract/index.js'
import { type Entering, namespace, type PresentMember } from '../../dist/plugins/index.js'

const chat = defineContract({
  name: 'chat',
  version: '1.0.0',
  rooms: {
    desk: room({
      params: Type.Object({ id: Type.String() }),
      events: {},
      presence: Type.Object({ status: Type.Union([Type.Literal('here'), Type.Literal('away')]) }),
    }),
    plain: room({ params: Type.Object({ id: Type.String() }), events: {} }),
  },
})
const live = namespace(chat, { path: '/chat', authenticate: 'none' })
const app = Fastify()

const members = await app.ackord(live).room.desk({ id: 'a' }).presence()
expectType<ReadonlyArray<PresentMember<{ status: 'here' | 'away' }>>>(members)
expectType<'here' | 'away' | undefined>(members[0]?.state?.status)
expectError(app.ackord(live).room.plain({ id: 'a' }).presence())

app.ackordGateway.addHook('onEnter', async ({ room: name }): Promise<Entering | undefined> => {
  expectType<string>(name)
  return { entered: () => undefined, cancelled: () => {} }
})
app.ackordGateway.addHook('onEnter', () => undefined)
expectError(app.ackordGateway.addHook('onEnter', () => ({ entered: () => 1, cancelled: () => {} })))
