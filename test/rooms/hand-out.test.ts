import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../plugins/gateway/index.js'
import { roomsOf } from '../../plugins/rooms/index.js'
import { eventually } from '../gateway/support.js'
import type { RawClient } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

const BOUND = 131_072
const message = (text: string) => ({ id: 'm', text })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Three members in this order: first, slow, last. `onSlow` runs in a hook when the slow one is gone. */
async function serve(onSlow: () => void, groupedWrites = true, maxBuffered = BOUND) {
  const server = await startServer({
    maxBuffered,
    groupedWrites,
    after: (app: FastifyInstance) =>
      app.ackordGateway.addHook('onDisconnect', ({ user }) => {
        if (user.id === 'slow') onSlow()
      }),
  })
  const room = server.live.room.channel({ id: 'a' })
  const clients: Record<string, RawClient> = {}
  for (const name of ['first', 'slow', 'last']) {
    const client = await server.enter(name)
    client.send([6, 1, 'channel', { id: 'a' }])
    await client.next(22)
    clients[name] = client
  }
  const { first, slow, last } = clients as Record<'first' | 'slow' | 'last', RawClient>
  return {
    ...server,
    room,
    first,
    last,
    /** Publishes until the slow one is closed at its bound; the offset of what did it. */
    async overflow(length = 20_000): Promise<number> {
      slow.pause()
      let offset = 0
      while (server.gateway.counters.closed === 0) {
        offset = (await room.publish('posted', message('x'.repeat(length))))?.offset ?? 0
        await turn()
      }
      return offset
    },
  }
}

const offsets = (client: RawClient): unknown[] =>
  client.frames.filter(([type]) => type === 23).map(([, , , , offset]) => offset)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describe.each([true, false])('a member that is closed while its room hands out (grouped: %s)', (grouped) => {
  it('whose hook publishes into the same room, costs nobody a publication', async () => {
    let publish = (): void => undefined
    const { overflow, first, last, room } = await serve(() => publish(), grouped)
    publish = () => void room.publish('posted', message('slow left'))
    await overflow()
    const end = await room.publish('posted', message('the end'))
    for (const client of [first, last]) {
      await client.nextWhere(([type, , , , offset]) => type === 23 && offset === end?.offset, 'the end')
      expect(offsets(client)).toEqual(upTo(end?.offset ?? 0))
    }
  })

  // The last is more than a room holds until the end of the turn.
  it.each([
    [20_000, BOUND],
    [300_000, 1_048_576],
  ])(
    'by %i characters, whose hook evicts another, has that one get everything before its LEFT, once',
    async (length, bound) => {
      let evict = (): void => undefined
      const { overflow, first, last, room } = await serve(() => evict(), grouped, bound)
      evict = () => void room.evict('first')
      const offset = await overflow(length)
      await first.next(27)
      expect(offsets(first)).toEqual(upTo(offset))
      const end = await room.publish('posted', message('the end'))
      await last.nextWhere(([type, , , , each]) => type === 23 && each === end?.offset, 'the end')
      expect(offsets(last)).toEqual(upTo(offset + 1))
    },
  )
})

describe('a connection that overflows at JOINED', () => {
  it('is in no room afterwards', async () => {
    const fill = ({ writer }: Connection): void => {
      while (writer.fits(1100)) writer.send('x'.repeat(1000))
      while (writer.fits(3)) writer.send('x')
    }
    const { enter, live, gateway } = await startServer({
      maxBuffered: BOUND,
      after: (app) => app.ackordGateway.addHook('onJoin', ({ connection }) => fill(connection)),
    })
    const client = await enter('ann')
    const [connection] = gateway.sockets
    client.send([6, 1, 'channel', { id: 'a' }])
    expect((await client.closed()).code).toBe(1013)
    await eventually(() => expect(gateway.sockets.size).toBe(0))
    expect(live.room.channel({ id: 'a' }).connections()).toEqual([])
    expect(connection && roomsOf(connection.mount).rooms.size).toBe(0)
  })
})
