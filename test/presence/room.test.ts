import { expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import type { Connection, Flushable, Mount } from '../../plugins/gateway/index.js'
import { PresenceRoom } from '../../plugins/presence/room.js'
import type { Outcome, Snapshot } from '../../plugins/presence/store.js'
import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import type { Telling } from '../../plugins/presence/telling.js'

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

it('reads its room again where that has failed, though a write that was under way is done', async () => {
  const clock = createClock()
  const store = new Store()
  const turn = { addRoom: (room: Flushable) => queueMicrotask(() => room.flush()) }
  const gateway = { turn, options: { random: () => 0.5 } }
  const host = {
    // What it uses of a mount.
    mount: { clock, gateway, log: { debug: () => undefined } } as unknown as Mount,
    store,
    bounds: { members: 100, bytes: 10_000 },
    place: { node: 'here', generation: 1 },
    raise: () => undefined,
    over: () => undefined,
  }
  const telling = { schedule: () => undefined, stop: () => undefined } as unknown as Telling
  const room = new PresenceRoom('/live room', host, () => telling)
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
