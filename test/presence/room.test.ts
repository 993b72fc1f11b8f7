import { describe, expect, it } from 'vitest'
import { createClock, type TestClock } from '../../client/testing/index.js'
import type { Connection, Flushable, Mount } from '../../plugins/gateway/index.js'
import { MOVE_MS } from '../../plugins/presence/moving.js'
import { PresenceRoom } from '../../plugins/presence/room.js'
import type { Outcome, Snapshot } from '../../plugins/presence/store.js'
import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import type { Telling } from '../../plugins/presence/telling.js'
import { View } from '../../plugins/presence/view.js'

/** Cannot be read while it is `away`; a change waits for `done`. */
class Store extends MemoryPresence {
  away = false
  reads = 0
  done: (() => void) | undefined

  override async read(room: string): Promise<Snapshot> {
    if (this.away) throw new Error('away')
    this.reads++
    return super.read(room)
  }

  override async change(...args: Parameters<MemoryPresence['change']>): Promise<Outcome> {
    await new Promise<void>((resolve) => {
      this.done = resolve
    })
    return super.change(...args)
  }
}

/** The room on a node, with what it uses of a mount. */
function openRoom(clock: TestClock, store: MemoryPresence, node: string, hasOthers = true): PresenceRoom {
  const turn = { addRoom: (room: Flushable) => queueMicrotask(() => room.flush()) }
  const gateway = { turn, options: { random: () => 0.5 } }
  const host = {
    mount: { clock, gateway, log: { debug: () => undefined } } as unknown as Mount,
    store,
    bounds: { members: 100, bytes: 10_000 },
    place: { node, generation: 1 },
    hasOthers,
    raise: () => undefined,
    over: () => undefined,
  }
  const telling = { schedule: () => undefined, stop: () => undefined } as unknown as Telling
  return new PresenceRoom('/live room', host, () => telling)
}

it('reads its room again where that has failed, though a write that was under way is done', async () => {
  const clock = createClock()
  const store = new Store()
  const room = openRoom(clock, store, 'here')
  await room.enter()
  room.entered({} as Connection, 'ann', undefined)
  await clock.advanceAsync(0)
  store.away = true
  await room.sync()
  store.away = false
  store.done?.()
  await clock.advanceAsync(10_000)
  expect(store.reads).toBe(2)
})

/** Two nodes in one room, ann on the first, and what a third one is told: each time, what ann shows there. */
async function moving({ hasOthers = true, isMoving = true, phase = 'closed' } = {}) {
  const clock = createClock()
  const store = new MemoryPresence()
  const [first, second] = [openRoom(clock, store, 'first', hasOthers), openRoom(clock, store, 'second')]
  await Promise.all([first.enter(), first.enter(), second.enter()])
  // What it uses of a connection.
  const older = { isMoving, phase } as Connection
  const stays = { isMoving: false, phase: 'open' } as Connection
  first.entered(older, 'ann', '1')
  first.entered(stays, 'bob', undefined)
  await clock.advanceAsync(1000)
  const third = new View('third')
  third.replace((await store.read('/live room')).entries)
  const told: unknown[] = []
  await store.follow('/live room', ({ place, changes }) => {
    third.update(place, changes)
    told.push(third.members.get('ann'))
  })
  return {
    ...{ clock, first, older, told },
    /** Ann comes to the second node, which has just written and has to wait for its turn. */
    async arrive(): Promise<void> {
      second.entered({} as Connection, 'bea', undefined)
      await clock.advanceAsync(0)
      await second.enter()
      second.entered({} as Connection, 'ann', '1')
      told.length = 0
    },
    shown: () => [first, second].map(({ view }) => view.members.get('ann')),
  }
}

describe('who leaves a node for another', () => {
  const one = { state: '1', connections: 1 }
  const two = { state: '1', connections: 2 }

  it('stays with their state, everywhere, until the other has said that they are there', async () => {
    const { clock, first, older, told, arrive, shown } = await moving()
    await arrive()
    first.left(older)
    expect(shown()).toEqual([one, two])
    await clock.advanceAsync(99)
    expect(told).toEqual([])
    await clock.advanceAsync(1)
    expect(told).toEqual([two, one])
    expect(shown()).toEqual([one, one])
    expect(clock.pending).toBe(0)
  })

  it('is away at once where they are there already', async () => {
    const { clock, first, older, told, arrive } = await moving()
    await arrive()
    await clock.advanceAsync(100)
    first.left(older)
    await clock.advanceAsync(0)
    expect(told).toEqual([two, one])
  })

  it('has left when they come nowhere, and a node that stops waits for that', async () => {
    const { clock, first, older, told, shown } = await moving()
    first.left(older)
    const finished = first.finish()
    await clock.advanceAsync(MOVE_MS - 1)
    expect(told).toEqual([])
    expect(shown()[0]).toEqual(one)
    await clock.advanceAsync(1)
    await finished
    expect(told).toEqual([undefined])
  })

  it('takes as long for each of them', async () => {
    const { clock, first, older, told } = await moving()
    const next = { ...older } as Connection
    await first.enter()
    first.entered(next, 'cid', undefined)
    first.left(next)
    await clock.advanceAsync(200)
    told.length = 0
    first.left(older)
    await clock.advanceAsync(MOVE_MS - 1)
    expect(told).toEqual([one])
    await clock.advanceAsync(1)
    expect(told).toEqual([one, undefined])
    expect(clock.pending).toBe(0)
  })

  it.each([
    ['left the room', { phase: 'open' }],
    ['was lost, or went without being told to', { isMoving: false }],
    ['has no other node to go to', { hasOthers: false }],
  ])('has left at once who %s', async (_title, how) => {
    const { clock, first, older, told } = await moving(how)
    first.left(older)
    await clock.advanceAsync(0)
    expect(told).toEqual([undefined])
  })
})
