/** Presence from end to end: the shipped client and server over a network in memory. */
import Fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type ClientOptions,
  createClient,
  type Member,
  membership,
  presence,
  type RoomWithPresence,
} from '../../client/index.js'
import { createClock, createNetwork } from '../../client/testing/index.js'
import { defineContract, room, Type } from '../../contract/index.js'
import ackord, { namespace } from '../../plugins/index.js'

const State = Type.Object({ status: Type.Union([Type.Literal('here'), Type.Literal('away')]) })
const contract = defineContract({
  name: 'team',
  version: '1.0.0',
  rooms: { desk: room({ params: Type.Object({}), events: {}, presence: State }) },
})

interface TeamRooms {
  readonly desk: (
    params: Record<never, never>,
  ) => RoomWithPresence<Record<never, never>, { status: 'here' | 'away' }>
}

const descriptor = {
  version: contract.version,
  hash: contract.hash,
  calls: {},
  rooms: { desk: { membership, params: [], presence } },
} as const

const ends: (() => PromiseLike<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function serve() {
  const clock = createClock()
  const app = Fastify()
  ends.push(() => app.close())
  const live = namespace(contract, {
    path: '/team',
    authenticate: ({ token }) => (token === undefined ? null : { id: token }),
  })
  await app.register(ackord, { clock })
  await app.register(live.plugin({ rooms: { desk: { join: () => true } } }))
  const network = await createNetwork(app)
  ends.push(() => network.cut())
  const connect = (user: string, options: ClientOptions = {}) => {
    const client = createClient<object, object, TeamRooms>(descriptor, 'ws://test/team', {
      clock,
      WebSocket: network.WebSocket,
      token: () => user,
      ...options,
    })
    ends.push(() => client.close())
    return client
  }
  /** Lets what waits between two changes of a room pass too. */
  const settle = () => clock.advanceAsync(1000)
  return { clock, network, connect, settle }
}

const shown = (members: readonly Member<{ status: string }>[]): string[] =>
  members.map(({ user, state, connections }) => `${user} ${state?.status ?? '-'} ${connections}`).sort()

describe('presence in memory', () => {
  it('shows everybody to everybody, as they come, change and go', async () => {
    const { connect, settle } = await serve()
    const [ada, bob] = [connect('ada'), connect('bob')]
    const [desk, other] = [ada.rooms.desk({}), bob.rooms.desk({})]
    desk.presence.set({ status: 'here' })
    expect(await desk.join()).toMatchObject({ ok: true })
    await settle()
    expect(shown(desk.presence.get())).toEqual(['ada here 1'])
    await other.join()
    await settle()
    for (const room of [desk, other]) expect(shown(room.presence.get())).toEqual(['ada here 1', 'bob - 1'])
    other.presence.set({ status: 'away' })
    await settle()
    for (const room of [desk, other]) expect(shown(room.presence.get())).toEqual(['ada here 1', 'bob away 1'])
    other.leave()
    await settle()
    expect([shown(desk.presence.get()), shown(other.presence.get())]).toEqual([['ada here 1'], []])
  })

  it('counts the connections of a user, whose newest state it is', async () => {
    const { connect, settle } = await serve()
    const [one, two] = [connect('ada'), connect('ada')]
    const [desk, tab] = [one.rooms.desk({}), two.rooms.desk({})]
    desk.presence.set({ status: 'here' })
    await desk.join()
    await settle()
    tab.presence.set({ status: 'away' })
    await tab.join()
    await settle()
    expect(shown(desk.presence.get())).toEqual(['ada away 2'])
    two.close()
    await settle()
    expect(shown(desk.presence.get())).toEqual(['ada away 1'])
  })

  it('shows a client that came back with the state it had, and to it who is there by then', async () => {
    const { clock, connect, network, settle } = await serve()
    const [ada, bob] = [connect('ada'), connect('bob')]
    const [desk, other] = [ada.rooms.desk({}), bob.rooms.desk({})]
    desk.presence.set({ status: 'here' })
    await desk.join()
    await other.join()
    await settle()
    network.cut()
    other.leave()
    expect(shown(desk.presence.get())).toEqual(['ada here 1', 'bob - 1'])
    network.restore()
    await clock.advanceAsync(60_000)
    expect([desk.state, shown(desk.presence.get())]).toEqual(['joined', ['ada here 1']])
  })
})
