import { describe, expect, it } from 'vitest'
import { hasRedis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type NodeOptions, Seen, startNode as start } from './support.js'

const OPTIONS: Record<string, () => Promise<NodeOptions>> = {
  memory: async () => ({}),
  'memory, where nothing is grouped': async () => ({ groupedWrites: false }),
  ...(hasRedis && { Redis: async () => ({ redis: await (await startRedis()).connect() }) }),
}

describe.each(Object.entries(OPTIONS))('presence in %s', (_name, optionsOf) => {
  const startNode = async () => start(await optionsOf())

  it('shows in JOINED everybody who is there, the joiner included', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    alice.send([6, 1, 'desk', { id: 'a' }])
    expect(await alice.next(22)).toEqual([22, 1, 'desk[["id","a"]]', 0, null, null, [['alice', null, 1]]])
  })

  it('tells members who came, who shows what, and who left', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    const seen = await Seen.join(alice)
    const bob = await enter('bob')
    expect((await Seen.join(bob)).all).toEqual({ alice: [null, 1], bob: [null, 1] })
    expect((await seen.next()).slice(2)).toEqual([[['bob', null, 1]], [], []])
    bob.send([8, 1, { status: 'here' }])
    expect((await seen.next()).slice(2)).toEqual([[], [['bob', { status: 'here' }, 1]], []])
    bob.send([7, 1])
    expect((await seen.next()).slice(2)).toEqual([[], [], ['bob']])
  })

  it('tells nothing to who is alone and has just been told by JOINED', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    await Seen.join(alice)
    const frame = alice.next(24)
    alice.send([8, 1, { status: 'here' }])
    expect((await frame).slice(2)).toEqual([[], [['alice', { status: 'here' }, 1]], []])
  })

  it('has one member for all connections of a user, with the newest state of any', async () => {
    const { enter } = await startNode()
    const seen = await Seen.join(await enter('bob'))
    const phone = await enter('alice')
    const laptop = await enter('alice')
    await Seen.join(phone, 'a', 1, { status: 'phone' })
    await seen.becomes({ bob: [null, 1], alice: [{ status: 'phone' }, 1] })
    expect((await Seen.join(laptop, 'a', 1, { status: 'laptop' })).all.alice?.[1]).toBe(2)
    await seen.becomes({ bob: [null, 1], alice: [{ status: 'laptop' }, 2] })
    phone.send([8, 1, { status: 'phone again' }])
    await seen.becomes({ bob: [null, 1], alice: [{ status: 'phone again' }, 2] })
    phone.close()
    await seen.becomes({ bob: [null, 1], alice: [{ status: 'phone again' }, 1] })
    laptop.close()
    await seen.becomes({ bob: [null, 1] })
  })

  it('forgets the state of a user with the last of their connections, however soon they are back', async () => {
    const { enter } = await startNode()
    const seen = await Seen.join(await enter('bob'))
    const alice = await enter('alice')
    await Seen.join(alice, 'a', 1, { status: 'away' })
    await seen.becomes({ bob: [null, 1], alice: [{ status: 'away' }, 1] })
    alice.send([7, 1])
    expect((await Seen.join(alice, 'a', 2)).all.alice).toEqual([null, 1])
    await seen.becomes({ bob: [null, 1], alice: [null, 1] })
  })

  it('takes a state that stands behind its JOIN, the last of several', async () => {
    const { enter } = await startNode()
    const bob = await enter('bob')
    bob.send([6, 1, 'desk', { id: 'a' }])
    bob.send([8, 1, { status: 'one' }])
    bob.send([8, 1, { status: 'two' }])
    await bob.next(22)
    const seen = await Seen.join(await enter('alice'))
    await seen.becomes({ alice: [null, 1], bob: [{ status: 'two' }, 1] })
  })

  it('takes a state that stands behind the JOIN of one who is in the room', async () => {
    const { enter } = await startNode()
    const client = await enter('ann')
    const ann = await Seen.join(client, 'a', 1)
    client.send([6, 2, 'desk', { id: 'a' }])
    client.send([8, 2, { status: 'again' }])
    await ann.becomes({ ann: [{ status: 'again' }, 1] })
  })

  it('keeps what the schema does not declare off the wire', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    const seen = await Seen.join(alice, 'a', 1, { status: 'here', secret: 1 })
    await seen.becomes({ alice: [{ status: 'here' }, 1] })
  })

  it('is per room, and ends with an eviction', async () => {
    const { enter, live } = await startNode()
    const alice = await enter('alice')
    const here = await Seen.join(alice, 'a', 1)
    await Seen.join(alice, 'b', 2, { status: 'there' })
    const bob = await enter('bob')
    await Seen.join(bob, 'a')
    await here.becomes({ alice: [null, 1], bob: [null, 1] })
    await live.room.desk({ id: 'a' }).evict('bob')
    await here.becomes({ alice: [null, 1] })
    expect(await live.room.desk({ id: 'b' }).presence()).toEqual([
      { user: 'alice', state: { status: 'there' }, connections: 1 },
    ])
    expect(await live.room.desk({ id: 'nobody' }).presence()).toEqual([])
  })

  it('counts a connection once that the server joined first', async () => {
    const { enter, live } = await startNode()
    const alice = await enter('alice')
    const [connection] = [...live.connections()]
    if (connection === undefined) throw new Error('nobody is connected')
    await live.room.desk({ id: 'a' }).join(connection)
    expect((await alice.next(22)).at(-1)).toEqual([['alice', null, 1]])
    expect((await Seen.join(alice)).all).toEqual({ alice: [null, 1] })
    alice.send([7, 1])
    await until(async () => (await live.room.desk({ id: 'a' }).presence()).length === 0)
  })

  it('shows nobody whose join was refused', async () => {
    const { enter, live } = await startNode()
    const alice = await enter('alice')
    alice.send([6, 1, 'desk', { id: 'closed' }])
    alice.send([8, 1, { status: 'here' }])
    expect(await alice.next(19)).toEqual([19, 1, 'FORBIDDEN', null])
    expect(await live.room.desk({ id: 'closed' }).presence()).toEqual([])
  })

  it('carries bytes as base64 in text and as bytes in binary', async () => {
    const { enter, live } = await startNode()
    const text = await enter('alice')
    text.send([6, 1, 'wall', { id: 'a' }])
    text.send([8, 1, { picture: 'AQID' }])
    await text.next(22)
    await until(async () => (await live.room.wall({ id: 'a' }).presence())[0]?.state !== undefined)
    const [member] = await live.room.wall({ id: 'a' }).presence()
    expect(member?.state?.picture).toEqual(new Uint8Array([1, 2, 3]))
    const binary = await enter('bob', { protocols: ['ackord.v1.msgpack'] })
    binary.send([6, 1, 'wall', { id: 'a' }])
    const [[, state]] = (await binary.next(22)).at(-1) as [[string, { picture: Uint8Array }, number]]
    expect([...state.picture]).toEqual([1, 2, 3])
    binary.send([8, 1, { picture: new Uint8Array([9]) }])
    const isBob = ([user]: readonly unknown[]): boolean => user === 'bob'
    const seen: unknown[] = []
    while (!seen.some((each) => JSON.stringify(each) === '{"picture":"CQ=="}')) {
      const [, , joined, updated] = (await text.next(24)) as [24, string, unknown[][], unknown[][]]
      seen.push(...[...joined, ...updated].filter(isBob).map(([, shown]) => shown))
    }
  })
})

describe('a PRESENCE that cannot be taken', () => {
  const startNode = start

  it('closes 4500 where the schema refuses the state, of a member and behind a JOIN', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    await Seen.join(alice)
    alice.send([8, 1, { status: 7 }])
    expect((await alice.closed()).code).toBe(4500)
    const bob = await enter('bob')
    bob.send([6, 1, 'desk', { id: 'a' }])
    bob.send([8, 1, 'here'])
    expect((await bob.closed()).code).toBe(4500)
  })

  it('closes 1009 above 4,096 bytes, and not at them', async () => {
    const { enter } = await startNode()
    const note = 'é'.repeat((4096 - '{"status":"","note":""}'.length - 1) / 2)
    const alice = await enter('alice')
    const seen = await Seen.join(alice, 'a', 1, { status: 'x', note })
    await seen.becomes({ alice: [{ status: 'x', note }, 1] })
    alice.send([8, 1, { status: 'xxx', note }])
    expect((await alice.closed()).code).toBe(1009)
  })

  it('closes 4502 in a room without presence', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    alice.send([6, 1, 'plain', { id: 'a' }])
    expect(await alice.next(22)).toHaveLength(6)
    alice.send([8, 1, {}])
    expect((await alice.closed()).code).toBe(4502)
  })

  it('is ignored where the client has another contract: it may be right by that one', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice', { hash: 'another' })
    alice.send([6, 1, 'plain', { id: 'a' }])
    alice.send([8, 1, {}])
    await alice.next(22)
    alice.send([8, 1, {}])
    const seen = await Seen.join(alice, 'a', 2, { status: 7 })
    alice.send([8, 2, { status: 'known' }])
    alice.send([8, 2, { status: 8 }])
    await seen.becomes({ alice: [{ status: 'known' }, 1] })
    alice.send([8, 2, { status: 'x'.repeat(4096) }])
    expect((await alice.closed()).code).toBe(1009)
  })

  it('is ignored where the room has been left', async () => {
    const { enter } = await startNode()
    const alice = await enter('alice')
    await Seen.join(alice)
    alice.send([7, 1])
    alice.send([8, 1, { status: 'here' }])
    await alice.ping()
    expect((await Seen.join(alice, 'a', 2)).all).toEqual({ alice: [null, 1] })
  })
})
