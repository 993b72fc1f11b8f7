/** What tickets do, wherever they are kept. */
import { describe, expect, it } from 'vitest'
import { isTicket, TICKET_MS, TICKETS_PER_USER, type Tickets } from '../../plugins/auth/tickets.js'

/** Tickets as two nodes see them, which may be one, and the time that is theirs. */
export interface TicketsToTest {
  readonly tickets: Tickets
  readonly other: Tickets
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>
}

/** Every implementation passes it unchanged. */
export function ticketsConformance(where: string, make: () => Promise<TicketsToTest>): void {
  describe(`tickets in ${where}`, () => {
    it('are good once, for who they were made for and with all that was said of them', async () => {
      const { tickets, other } = await make()
      const ann = { id: 'ann', tokenId: 't', expiresAt: Date.now() + 60_000, roles: ['a', 'b'] }
      const ticket = await tickets.issue(ann)
      expect(isTicket(ticket)).toBe(true)
      expect([await other.look(ticket), await other.look(ticket)]).toEqual([ann, ann])
      expect([await other.take(ticket), await tickets.take(ticket)]).toEqual([ann, undefined])
      expect(await other.look(ticket)).toBeUndefined()
    })

    it('are good for one of many who come at once', async () => {
      const { tickets, other } = await make()
      const ticket = await tickets.issue({ id: 'ann' })
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? tickets : other).take(ticket)),
      )
      expect(all.filter((identity) => identity !== undefined)).toEqual([{ id: 'ann' }])
    })

    it('are unknown where nobody made them', async () => {
      const { tickets, other } = await make()
      const ticket = await tickets.issue({ id: 'ann' })
      for (const wrong of ['ackord.ticket.', `${ticket}x`, ticket.slice(0, -1)])
        expect([await other.look(wrong), await other.take(wrong)]).toEqual([undefined, undefined])
    })

    it('go with their user, and with their token, and no others do', async () => {
      const { tickets, other } = await make()
      const issue = async () =>
        Promise.all(
          [
            { id: 'ann', tokenId: 't1' },
            { id: 'ann', tokenId: 't2' },
            { id: 'ben', tokenId: 't2' },
          ].map((identity) => tickets.issue(identity)),
        )
      const good = async (all: readonly string[]) =>
        Promise.all(all.map(async (ticket) => (await other.look(ticket)) !== undefined))
      const first = await issue()
      await other.revoke('token t2')
      expect(await good(first)).toEqual([true, false, false])
      const second = await issue()
      await other.revoke('user ann')
      expect([await good(first), await good(second)]).toEqual([
        [false, false, false],
        [false, false, true],
      ])
      expect(await tickets.take(second[0] ?? '')).toBeUndefined()
      expect(await tickets.take(second[2] ?? '')).toMatchObject({ id: 'ben' })
    })

    it('are at most 16 unused ones of a user, whichever way they go', async () => {
      const { tickets, other } = await make()
      const fill = (id = 'ann') =>
        Promise.all(
          Array.from({ length: TICKETS_PER_USER }, (_, i) =>
            (i % 2 === 0 ? tickets : other).issue({ id, tokenId: 't' }),
          ),
        )
      for (const ticket of await fill()) await other.take(ticket)
      await fill()
      await expect(other.issue({ id: 'ann' })).rejects.toMatchObject({ status: 429, retryAfter: 30 })
      await other.issue({ id: 'ben' })
      await tickets.revoke('user ann')
      await fill()
    })

    it('are good for 30 seconds, and then make room', async () => {
      const { tickets, other, pass } = await make()
      const all: string[] = []
      for (let i = 0; i < TICKETS_PER_USER; i++) all.push(await tickets.issue({ id: 'ann' }))
      await pass(TICKET_MS)
      expect(await Promise.all(all.map((ticket) => other.take(ticket)))).toEqual(all.map(() => undefined))
      await other.issue({ id: 'ann' })
    })
  })
}
