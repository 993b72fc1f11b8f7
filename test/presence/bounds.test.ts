import { expect, it, onTestFinished } from 'vitest'
import { LIST_BYTES, MAX_MEMBERS } from '../../plugins/presence/index.js'
import { Places } from '../../plugins/presence/places.js'
import { Presences } from '../../plugins/presence/service.js'
import { compileStates } from '../../plugins/presence/states.js'
import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import { until } from '../support/until.js'
import { contract, Seen, startNode } from './support.js'

const SMALL = 131_072
const note = 'x'.repeat(4000)

/** A room as full of bytes as `maxBuffered` lets it be. */
async function fill(node: Awaited<ReturnType<typeof startNode>>): Promise<number> {
  const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => node.enter(`u${i}`)))
  for (const client of clients) {
    await Seen.join(client)
    client.send([8, 1, { status: 'here', note }])
    await client.ping()
  }
  const states = async (): Promise<number> =>
    (await node.live.room.desk({ id: 'a' }).presence()).filter(({ state }) => state !== undefined).length
  await until(async () => (await states()) >= Math.floor(SMALL / 2 / 4060))
  // Another round of writes has been, and nothing more came of it.
  await new Promise((resolve) => setTimeout(resolve, 250))
  return states()
}

it('shows states as far as half of maxBuffered goes, and all members besides', async () => {
  const node = await startNode({ maxBuffered: SMALL })
  const shown = await fill(node)
  expect(shown * 4060).toBeLessThanOrEqual(SMALL / 2)
  expect(await node.live.room.desk({ id: 'a' }).presence()).toHaveLength(20)
  const late = await Seen.join(await node.enter('late'))
  expect(Object.values(late.all).filter(([state]) => state !== null)).toHaveLength(shown)
})

it('refuses a join whose JOINED a slow connection has no room for, and does not close it', async () => {
  const node = await startNode({ maxBuffered: SMALL })
  await fill(node)
  const slow = await node.enter('slow')
  slow.pause()
  const desk = node.live.room.desk({ id: 'a' })
  const connection = [...node.live.connections()].find(({ user }) => user.id === 'slow')
  if (connection === undefined) throw new Error('nobody is connected')
  let refused: unknown
  for (let i = 0; i < 500 && refused === undefined; i++) {
    await desk.join(connection).catch((error: unknown) => {
      refused = error
    })
    await desk.evict(connection)
    // What was queued leaves at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(refused).toMatchObject({ code: 'OVERLOADED' })
  expect([...node.live.connections()]).toContain(connection)
  expect((await desk.presence()).map(({ user }) => user)).not.toContain('slow')
})

it('shows so many members that JOINED fits with them', () => {
  // A name of 20 characters each.
  expect(MAX_MEMBERS * (22 + 4 + 16)).toBeLessThan(LIST_BYTES)
})

it('remembers no more than 10,000 rooms that everybody left while the store was away, and gives up its place instead', async () => {
  const node = await startNode()
  await node.enter('ann')
  const [connection] = [...node.mount.connections]
  if (connection === undefined) throw new Error('nobody is connected')
  const store = new MemoryPresence()
  store.change = () => Promise.reject(new Error('away'))
  const cluster = {
    node: 'me',
    generation: 1,
    nodes: () => [],
    isAlive: () => true,
    onNode: () => () => undefined,
    onGeneration: () => () => undefined,
  }
  const places = new Places(
    cluster,
    store,
    () => undefined,
    () => undefined,
  )
  const { mount } = node
  const states = new Map([['desk', compileStates(mount, 'desk', contract.rooms.desk.presence)]])
  const presences = new Presences(mount, store, places, states)
  onTestFinished(() => presences.close())
  const visit = async (key: string): Promise<void> => {
    const info = { mount, connection, room: 'desk', key, params: {} }
    const entering = await presences.onEnter(info)
    expect(entering?.entered()).toBe('[["ann",null,1]]')
    presences.onLeave(info)
  }
  for (let i = 0; i < 10_000; i++) await visit(`r${i}`)
  expect(presences.size).toBe(10_000)
  expect(places.own.generation).toBe(1)
  await visit('one more')
  expect(presences.size).toBe(0)
  expect(places.own.generation).toBe(2)
})
