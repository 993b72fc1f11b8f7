import { createClock } from '../../client/testing/index.js'
import { MemoryTickets } from '../../plugins/auth/tickets-memory.js'
import { ticketsConformance } from './tickets.js'

ticketsConformance('memory', async () => {
  const clock = createClock()
  const tickets = new MemoryTickets(clock)
  return { tickets, other: tickets, pass: async (ms) => clock.advance(ms) }
})
