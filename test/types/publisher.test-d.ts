import type { Redis } from 'ioredis'
import { expectError, expectType } from 'tsd'
import { defineContract, event, room, Type } from '../../dist/contract/index.js'
import { createPublisher, type Position, type PublisherRoom } from '../../dist/plugins/publisher/index.js'

const contract = defineContract({
  name: 'shop',
  version: '1.0.0',
  events: {
    shipped: event({ payload: Type.Object({ order: Type.String() }), delivery: 'recoverable' }),
    sale: event({ payload: Type.Object({ percent: Type.Integer() }) }),
  },
  rooms: {
    'order.status': room({
      params: Type.Object({ order: Type.String() }),
      events: { changed: event({ payload: Type.Object({ to: Type.String() }) }) },
    }),
  },
})
declare const redis: Redis

const publisher = await createPublisher(contract, { path: '/v1/shop', redis, log: console })
const status = publisher.room.order.status({ order: '1' })
expectType<PublisherRoom<{ readonly changed: { to: string } }>>(status)
expectType<Promise<Position | undefined>>(status.publish('changed', { to: 'paid' }, { id: '1' }))
expectType<Promise<Position>>(publisher.user('ada').send('shipped', { order: '1' }, { id: '1' }))
expectType<Promise<undefined>>(publisher.user('ada').send('sale', { percent: 5 }))
expectType<Promise<void>>(publisher.all.send('sale', { percent: 5 }))
expectType<Promise<void>>(publisher.close())

expectError(publisher.all.send('shipped', { order: '1' }))
expectError(publisher.user('ada').send('shipped', { order: 1 }))
expectError(publisher.user('ada').send('returned', { order: '1' }))
expectError(publisher.room.order.status({ id: '1' }))
expectError(status.publish('changed', { to: 1 }))
expectError(status.publish('closed', { to: 'x' }))
expectError(createPublisher(contract, { path: '/v1/shop' }))
expectError(createPublisher(contract, { redis }))
expectError(createPublisher(contract, { path: '/v1/shop', redis, prefix: 'x' }))
