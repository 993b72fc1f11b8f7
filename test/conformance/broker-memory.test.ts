import { createClock } from '../../client/testing/clock.js'
import { MemoryBroker } from '../../plugins/rooms/broker-memory.js'
import { brokerConformance } from './broker.js'

brokerConformance('memory', async () => {
  const clock = createClock()
  const errors: unknown[] = []
  const broker = new MemoryBroker({ clock, onError: (error) => errors.push(error) })
  return {
    broker,
    other: broker,
    errors,
    pass: async (ms) => clock.advance(ms),
    lose: async () => clock.advance(3_600_000),
    stop: () => broker.close(),
  }
})
