import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { Channel } from '../../plugins/redis/channel.js'
import type { RedisConnection } from '../../plugins/redis/client.js'
import { Subscriber } from '../../plugins/redis/subscriber.js'

/** A connection on which everything works, as far as a subscriber can tell. */
class Works extends EventEmitter implements RedisConnection {
  readonly status = 'ready'
  async connect(): Promise<void> {}
  disconnect(): void {}
  async call(): Promise<number> {
    return 1
  }
  async callBuffer(): Promise<number> {
    return 1
  }
}

it('a subscriber hears what it is to hear, whenever the time of another nonce is over that was never published', async () => {
  const clock = createClock()
  const connection = new Works()
  const fail = (error: unknown): void => {
    throw error
  }
  const subscriber = new Subscriber({
    clock,
    random: () => 0.5,
    isSharded: false,
    open: () => connection,
    onChange: () => {},
    onError: fail,
    onMoved: () => {},
  })
  const probe = new Channel({ onGone: () => {}, onError: fail }, 'probe', 0)
  probe.listen(subscriber.onNonce)
  subscriber.add(probe)
  subscriber.open()
  await setImmediate()
  expect(subscriber.isSettled).toBe(true)

  const lost = subscriber.hears('1')
  clock.advance(1999)
  const heard = subscriber.hears('2')
  expect(await lost).toBe(false)
  clock.advance(1)
  connection.emit('messageBuffer', Buffer.from('probe'), Buffer.from('2'))
  expect(await heard).toBe(true)
  expect(subscriber.isWhole).toBe(true)

  const late = subscriber.hears('3')
  clock.advance(2000)
  expect(await late).toBe(false)
  subscriber.close()
})
