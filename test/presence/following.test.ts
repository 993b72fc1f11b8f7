import { describe, expect, it } from 'vitest'
import { Following } from '../../plugins/presence/following.js'
import type { PresenceStore, Snapshot, Update } from '../../plugins/presence/store.js'

/** A store whose answers a test gives. */
function setup() {
  const log: string[] = []
  const reads: Array<{ resolve: (snapshot: Snapshot) => void; reject: (error: Error) => void }> = []
  let follower: ((update: Update) => void) | undefined
  let current = true
  const never = (): never => {
    throw new Error('not used')
  }
  const store: PresenceStore = {
    follow: async (_room, told) => {
      follower = told
      log.push('follow')
      return () => log.push('unfollow')
    },
    read: () => new Promise((resolve, reject) => reads.push({ resolve, reject })),
    isCurrent: async () => current,
    change: never,
    leave: never,
    sweep: never,
  }
  const following = new Following(store, '/live room', {
    replace: ({ version }) => log.push(`replace ${version}`),
    update: ({ version }) => log.push(`update ${version}`),
    missed: () => log.push('missed'),
  })
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    following,
    log,
    reads,
    settled,
    setCurrent: (value: boolean) => {
      current = value
    },
    tell: (version: number, epoch = 'e') => follower?.({ epoch, version, place: 'a.1', changes: [] }),
    /** Answers the read under way. */
    async answer(version: number, epoch = 'e'): Promise<void> {
      await settled()
      reads.shift()?.resolve({ epoch, version, entries: [] })
      await settled()
    },
  }
}

describe('following a room', () => {
  it('misses nothing that is told while it reads, and takes nothing twice', async () => {
    const { following, log, settled, tell, answer } = setup()
    const done = following.read()
    await settled()
    for (const version of [3, 4, 5]) tell(version)
    await answer(4)
    await done
    expect(log).toEqual(['follow', 'replace 4', 'update 5'])
    tell(5)
    tell(6)
    expect(log.slice(3)).toEqual(['update 6'])
  })

  it('reads again where what was told does not continue what was read', async () => {
    const { following, log, settled, tell, answer } = setup()
    const done = following.read()
    await settled()
    tell(6)
    await answer(4)
    await answer(6)
    await done
    expect(log).toEqual(['follow', 'replace 4', 'replace 6'])
  })

  it.each([0, 1, 2, 3, 4, 5, 6])(
    'reads once more for who asks %i promises behind the end of a read',
    async (promises) => {
      const { following, log, reads, settled, answer } = setup()
      void following.read()
      await settled()
      reads.shift()?.resolve({ epoch: 'e', version: 4, entries: [] })
      for (let i = 0; i < promises; i++) await undefined
      const done = following.read()
      await answer(5)
      await done
      expect(log).toEqual(['follow', 'replace 4', 'replace 5'])
    },
  )

  it.each([
    ['a number is missing', 6, 'e'],
    ['another epoch begins', 5, 'other'],
  ])('wants to read again where %s', async (_name, version, epoch) => {
    const { following, log, tell, answer } = setup()
    const done = following.read()
    await answer(4)
    await done
    tell(version, epoch)
    expect(log.slice(2)).toEqual(['missed'])
  })

  it('takes the first update of a room of which nothing was kept', async () => {
    const { following, log, tell, answer } = setup()
    const done = following.read()
    await answer(0, '')
    await done
    tell(1, 'new')
    tell(2, 'new')
    expect(log).toEqual(['follow', 'replace 0', 'update 1', 'update 2'])
  })

  it('reads once more where it is asked to while it reads, and not once for each who asks', async () => {
    const { following, log, reads, settled, answer } = setup()
    const all = [following.read(), following.read()]
    await settled()
    all.push(following.read(), following.read())
    await answer(1)
    await answer(2)
    await Promise.all(all)
    expect(log).toEqual(['follow', 'replace 1', 'replace 2'])
    expect(reads).toEqual([])
    expect(following.isReading).toBe(false)
  })

  it('gives up on a room that never stands still, and after more updates than it keeps', async () => {
    const { following, settled, tell, answer } = setup()
    const done = following.read()
    const failed = expect(done).rejects.toThrow('faster')
    await settled()
    for (let i = 0; i < 1000; i++) tell(i + 1)
    await answer(0)
    for (const version of [10, 20]) {
      tell(version + 5)
      await answer(version)
    }
    await failed
  })

  it('rejects where the store is away, and begins anew the next time', async () => {
    const { following, reads, settled, answer, log } = setup()
    const done = following.read()
    const failed = expect(done).rejects.toThrow('away')
    await settled()
    reads.shift()?.reject(new Error('away'))
    await failed
    const again = following.read()
    await answer(1)
    await again
    expect(log).toEqual(['follow', 'replace 1'])
  })

  it('is current where the store says so, or has told more since it was asked', async () => {
    const { following, tell, answer, setCurrent } = setup()
    const done = following.read()
    await answer(1)
    await done
    expect(await following.isCurrent()).toBe(true)
    setCurrent(false)
    expect(await following.isCurrent()).toBe(false)
    const asked = following.isCurrent()
    tell(2)
    expect(await asked).toBe(true)
  })

  it('ends, also while it begins', async () => {
    const { following, log, tell, settled } = setup()
    const done = following.read()
    following.stop()
    await done
    await settled()
    tell(1)
    expect(log).toEqual(['follow', 'unfollow'])
  })
})
