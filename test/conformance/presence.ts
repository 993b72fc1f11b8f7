/** What every presence store must do. A store's own test file calls `presenceConformance`. */
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Bounds,
  type Place,
  type PresenceStore,
  placeName,
  type Snapshot,
  type Update,
  type Write,
} from '../../plugins/presence/store.js'
import { until } from '../support/until.js'

/** Two nodes' stores on the same rooms; of a single process, one twice. */
export interface PresenceSetup {
  readonly store: PresenceStore
  readonly other: PresenceStore
}

const BOUNDS: Bounds = { members: 100, bytes: 10_000 }
const A: Place = { node: 'a', generation: 1 }
const B: Place = { node: 'b', generation: 1 }

/** A snapshot as text that two stores can be compared by. */
export const told = ({ entries }: Snapshot): unknown =>
  entries
    .map(({ user, state, places }) => ({ user, state, places: Object.fromEntries([...places].sort()) }))
    .sort((a, b) => (a.user < b.user ? -1 : 1))

/** Declares the suite. Rooms of earlier tests may still be kept. */
export function presenceConformance(name: string, make: () => Promise<PresenceSetup>): void {
  let rooms = 0
  const setup = async () => {
    const { store, other } = await make()
    const room = `/live room ${++rooms}`
    const updates: Update[] = []
    const unfollow = await other.follow(room, (update) => updates.push(update))
    onTestFinished(unfollow)
    return {
      store,
      other,
      room,
      updates,
      unfollow,
      write: (place: Place, writes: readonly Write[], bounds = BOUNDS) =>
        store.change(room, place, writes, bounds),
      reads: async () => told(await other.read(room)),
      /** The changes that were told, once there are so many updates. */
      toldOf: async (count: number) => {
        await until(() => updates.length >= count)
        return updates.map(({ place, changes }) => [place, ...changes])
      },
    }
  }

  describe(`presence: ${name}`, () => {
    it('has nobody in a room that nobody entered', async () => {
      const { other, room } = await setup()
      expect(await other.read(room)).toMatchObject({ version: 0, entries: [] })
    })

    it('tells and keeps who came, with what they show', async () => {
      const { write, reads, toldOf } = await setup()
      expect(await write(A, [{ user: 'ann', connections: 2 }])).toEqual({ lowest: undefined, full: [] })
      await write(A, [
        { user: 'ann', connections: 1, state: '{"s":"é"}' },
        { user: 'bob', connections: 1 },
      ])
      expect(await toldOf(2)).toEqual([
        ['a.1', { user: 'ann', connections: 2, state: undefined }],
        [
          'a.1',
          { user: 'ann', connections: 1, state: '{"s":"é"}' },
          { user: 'bob', connections: 1, state: undefined },
        ],
      ])
      expect(await reads()).toEqual([
        { user: 'ann', state: '{"s":"é"}', places: { 'a.1': 1 } },
        { user: 'bob', state: undefined, places: { 'a.1': 1 } },
      ])
    })

    it('numbers updates by one from 1 within an epoch, and reads at one of them', async () => {
      const { write, other, room, updates, toldOf } = await setup()
      for (let i = 1; i <= 3; i++) await write(A, [{ user: `u${i}`, connections: 1 }])
      await toldOf(3)
      expect(updates.map(({ version }) => version)).toEqual([1, 2, 3])
      const { epoch, version } = await other.read(room)
      expect(updates.every((update) => update.epoch === epoch)).toBe(true)
      expect(epoch).not.toBe('')
      expect(version).toBe(3)
      expect(await other.isCurrent(room, epoch, 3)).toBe(true)
      expect(await other.isCurrent(room, epoch, 2)).toBe(false)
      expect(await other.isCurrent(room, 'another', 3)).toBe(false)
    })

    it('tells nothing of what is so already', async () => {
      const { write, updates, other, room } = await setup()
      await write(A, [{ user: 'ann', connections: 1, state: '1' }])
      await write(A, [{ user: 'ann', connections: 1, state: '1' }])
      await write(A, [{ user: 'bob', connections: 0 }])
      await write(A, [{ user: 'ann', connections: 2 }])
      await until(() => updates.length >= 2)
      expect(updates).toHaveLength(2)
      expect((await other.read(room)).version).toBe(2)
    })

    it('keeps a user and the newest state until the last connection at any place has ended', async () => {
      const { write, reads, toldOf } = await setup()
      await write(A, [{ user: 'ann', connections: 1, state: '"old"' }])
      await write(B, [{ user: 'ann', connections: 1, state: '"new"' }])
      await write(B, [{ user: 'ann', connections: 0 }])
      expect(await reads()).toEqual([{ user: 'ann', state: '"new"', places: { 'a.1': 1 } }])
      await write(A, [{ user: 'ann', connections: 0 }])
      expect(await reads()).toEqual([])
      expect((await toldOf(4)).slice(2)).toEqual([
        ['b.1', { user: 'ann', connections: 0, state: '"new"' }],
        ['a.1', { user: 'ann', connections: 0, state: undefined }],
      ])
      await write(A, [{ user: 'ann', connections: 1 }])
      expect(await reads()).toEqual([{ user: 'ann', state: undefined, places: { 'a.1': 1 } }])
    })

    it('does several writes of one user in their order', async () => {
      const { write, reads } = await setup()
      await write(A, [{ user: 'ann', connections: 1, state: '1' }])
      await write(A, [
        { user: 'ann', connections: 0 },
        { user: 'ann', connections: 1 },
      ])
      expect(await reads()).toEqual([{ user: 'ann', state: undefined, places: { 'a.1': 1 } }])
    })

    it('restores a state only where there is none', async () => {
      const { write, reads } = await setup()
      await write(A, [{ user: 'ann', connections: 1, state: '1', restores: true }])
      await write(B, [{ user: 'ann', connections: 1, state: '2', restores: true }])
      expect(await reads()).toEqual([{ user: 'ann', state: '1', places: { 'a.1': 1, 'b.1': 1 } }])
    })

    it('shows no more users than the bound, and says who has no space', async () => {
      const { write, reads } = await setup()
      const bounds = { ...BOUNDS, members: 2 }
      const one = (user: string): Write => ({ user, connections: 1 })
      expect((await write(A, [one('ann'), one('bob'), one('cid')], bounds)).full).toEqual(['cid'])
      expect((await write(B, [one('ann'), one('dan')], bounds)).full).toEqual(['dan'])
      expect(await reads()).toMatchObject([{ user: 'ann', places: { 'a.1': 1, 'b.1': 1 } }, { user: 'bob' }])
      await write(A, [{ user: 'bob', connections: 0 }], bounds)
      expect((await write(A, [one('cid')], bounds)).full).toEqual([])
    })

    it('shows no more bytes than the bound: a state that has no space changes nothing', async () => {
      const { write, reads } = await setup()
      // A user is its name as JSON, its state or null, and 16.
      const bounds = { members: 100, bytes: 2 * (5 + 4 + 16) + 6 }
      const both = ['ann', 'bob'].map((user) => ({ user, connections: 1 }))
      expect((await write(A, both, bounds)).full).toEqual([])
      expect((await write(A, [{ user: 'ann', connections: 2, state: '"12345678"' }], bounds)).full).toEqual(
        [],
      )
      expect((await write(A, [{ user: 'bob', connections: 3, state: '"1234"' }], bounds)).full).toEqual([
        'bob',
      ])
      expect((await write(A, [{ user: 'cid', connections: 1 }], bounds)).full).toEqual(['cid'])
      const ann = { user: 'ann', state: '"12345678"', places: { 'a.1': 2 } }
      expect(await reads()).toEqual([ann, { user: 'bob', state: undefined, places: { 'a.1': 3 } }])
      await write(A, [{ user: 'ann', connections: 1, state: '1' }], bounds)
      expect((await write(A, [{ user: 'bob', connections: 3, state: '"1234"' }], bounds)).full).toEqual([])
    })

    it('shows without a state a newcomer whose state has no space', async () => {
      const { write, reads } = await setup()
      const bounds = { members: 100, bytes: 5 + 4 + 16 }
      const write1 = { user: 'ann', connections: 1, state: '"12345678"' }
      expect((await write(A, [write1], bounds)).full).toEqual(['ann'])
      expect(await reads()).toEqual([{ user: 'ann', state: undefined, places: { 'a.1': 1 } }])
      expect((await write(A, [write1], { ...bounds, bytes: 100 })).full).toEqual([])
      expect(await reads()).toEqual([{ user: 'ann', state: '"12345678"', places: { 'a.1': 1 } }])
    })

    it('clears what a place left, in every room, and takes nothing from it any more', async () => {
      const { store, other, room, write, reads, toldOf } = await setup()
      await write(A, [
        { user: 'ann', connections: 2, state: '1' },
        { user: 'bob', connections: 1 },
      ])
      await write(B, [{ user: 'ann', connections: 1 }])
      await store.change(`${room} too`, A, [{ user: 'cid', connections: 1 }], BOUNDS)
      await other.sweep('a', (generation) => generation < 2)
      expect(await reads()).toEqual([{ user: 'ann', state: '1', places: { 'b.1': 1 } }])
      expect(told(await other.read(`${room} too`))).toEqual([])
      const changes = (await toldOf(3)).slice(2).flat().slice(1)
      expect(changes).toHaveLength(2)
      expect(changes).toEqual(
        expect.arrayContaining([
          { user: 'ann', connections: 0, state: '1' },
          { user: 'bob', connections: 0, state: undefined },
        ]),
      )
      expect(await write(A, [{ user: 'bob', connections: 1 }])).toEqual({ lowest: 2, full: [] })
      expect(await reads()).toEqual([{ user: 'ann', state: '1', places: { 'b.1': 1 } }])
      expect(await write({ node: 'a', generation: 2 }, [{ user: 'bob', connections: 1 }])).toMatchObject({
        lowest: undefined,
      })
      expect(await reads()).toMatchObject([{ user: 'ann' }, { user: 'bob', places: { 'a.2': 1 } }])
    })

    it('clears no other node, and no generation that lives', async () => {
      const { other, write, reads } = await setup()
      const ab: Place = { node: 'ab', generation: 1 }
      const a2: Place = { node: 'a', generation: 2 }
      for (const place of [A, a2, B, ab]) await write(place, [{ user: placeName(place), connections: 1 }])
      await other.sweep('a', (generation) => generation < 2)
      expect(await reads()).toMatchObject([{ user: 'a.2' }, { user: 'ab.1' }, { user: 'b.1' }])
    })

    it('clears a room of more users than one change holds', async () => {
      const { other, room, store, reads } = await setup()
      const bounds = { members: 2000, bytes: 1_000_000 }
      for (let i = 0; i < 3; i++) {
        const writes = Array.from({ length: 500 }, (_, j) => ({ user: `${i} ${j}`, connections: 1 }))
        await store.change(room, A, writes, bounds)
      }
      expect((await other.read(room)).entries).toHaveLength(1500)
      await other.sweep('a', () => true)
      expect(await reads()).toEqual([])
    })

    it('names users of any text', async () => {
      const { write, reads, toldOf } = await setup()
      const names = ['', ' ', 'a b', '"', '\\', '}{', 'é\u2028', '__proto__', '\u0000'].sort()
      await write(
        A,
        names.map((user) => ({ user, connections: 1, state: JSON.stringify({ user }) })),
      )
      expect(((await reads()) as Array<{ user: string }>).map(({ user }) => user)).toEqual(names)
      const [[, ...changes] = []] = await toldOf(1)
      expect(changes.map((change) => (change as { user: string }).user)).toEqual(names)
    })

    it('tells nothing more once following has ended', async () => {
      const { write, updates, unfollow, toldOf, room, other } = await setup()
      await write(A, [{ user: 'ann', connections: 1 }])
      await toldOf(1)
      unfollow()
      unfollow()
      const later: Update[] = []
      onTestFinished(await other.follow(room, (update) => later.push(update)))
      await write(A, [{ user: 'ann', connections: 2 }])
      await until(() => later.length === 1)
      expect(updates).toHaveLength(1)
    })
  })
}
