import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import type { RawClient } from '../support/raw-client.js'
import { describeWithRedis } from '../support/redis.js'
import { startServer, type TestServer } from '../support/server.js'
import { startPair } from './pair.js'

const KEY = 'channel[["id","a"]]'
const message = (text: string) => ({ id: 'm', text })
const roomOf = (node: TestServer) => node.live.room.channel({ id: 'a' })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** A client of the address in front, which ends with the test. */
function clientOf(port: number): Redis {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

async function join(node: TestServer, user: string, since: unknown = null) {
  const client = await node.enter(user)
  client.send([6, 1, 'channel', { id: 'a' }, since])
  return { client, joined: await client.next(22) }
}

/** What a member was told, in order: offsets and tags, or the gap at a JOINED. */
const told = (client: RawClient): unknown[] =>
  client.frames.flatMap(([type, , , ...rest]) =>
    type === 23 ? [[rest[1], rest[2]]] : type === 22 && rest[2] !== null ? [rest[2]] : [],
  )

describeWithRedis('a fail-over to a replica that had not heard of the newest publications', () => {
  it('reaches every member on every node as `forked`, never as silence, and none is told what was lost as if it stood', async () => {
    const pair = await startPair()
    const nodes = [
      await startServer({ redis: clientOf(pair.front.port) }),
      await startServer({ redis: clientOf(pair.front.port) }),
    ] as const
    const [one, two] = nodes
    const ann = await join(one, 'ann')
    const members = [ann, await join(two, 'bob')]
    const [epoch] = ann.joined[4] as [string]
    for (const n of upTo(3)) await roomOf(one).publish('posted', message(`${n}`))
    await pair.settled()

    // From here on the replica hears nothing.
    pair.link.silence()
    for (const n of [4, 5]) await roomOf(two).publish('posted', message(`lost ${n}`))
    const lost: unknown[][] = []
    for (const { client } of members) {
      for (const _ of upTo(5)) await client.next(23)
      lost.push([...told(client)])
    }
    expect(lost[0]).toEqual(lost[1])

    await pair.promote()
    // Whatever is published before the nodes are there again is refused, and may be published again.
    const publish = async (text: string) => {
      for (;;) {
        const position = await roomOf(one)
          .publish('posted', message(text), { id: text })
          .catch(() => undefined)
        if (position !== undefined) return position
      }
    }
    const four = await publish('instead of 4')
    expect([four.offset, four.epoch]).toEqual([4, epoch])
    for (const text of ['instead of 5', '6']) await publish(text)

    for (const { client } of members) {
      const again = await client.next(22)
      expect([again[2], again[3], again[5]]).toEqual([KEY, 0, 'forked'])
      const end = await publish(`end ${told(client).length}`)
      await client.nextWhere(([type, , , , , tag]) => type === 23 && tag === end.tag, 'the end')
      const [, at] = again[4] as [string, number]
      const after = client.frames.slice(client.frames.indexOf(again)).filter(([type]) => type === 23)
      expect(after.map(([, , , , offset]) => offset)).toEqual(upTo(end.offset).slice(at))
      expect(client.frames.filter(([type]) => type === 22)).toHaveLength(2)
    }

    // Who was away meanwhile and comes back with a position of the history that was lost.
    const since = [epoch, ...((lost[0]?.at(-1) ?? []) as number[])]
    const { joined } = await join(two, 'eve', since)
    expect(joined[5]).toBe('forked')
  }, 60_000)
})
