import { afterEach, expect, it } from 'vitest'
import { startNodes } from '../cluster/support/nodes.js'
import { abortAll } from '../support/raw-client.js'
import { describeWithRedis } from '../support/redis.js'
import { startServer } from '../support/server.js'

afterEach(abortAll)

it('a connection that wishes to join 50,000 rooms is in as many as it may be, and is answered for each', async () => {
  const server = await startServer()
  const client = await server.enter('ann')
  const wished = 50_000
  const atOnce = 500
  const answers = new Map<unknown, number>()
  for (let seq = 0; seq < wished; ) {
    for (let i = 0; i < atOnce; i++) client.send([6, ++seq, 'channel', { id: `${seq}` }])
    for (let i = 0; i < atOnce; i++) {
      const [type, , code] = await client.next()
      const what = type === 22 ? 'joined' : code
      answers.set(what, (answers.get(what) ?? 0) + 1)
    }
  }
  const [connection] = server.gateway.sockets
  const most = connection?.mount.settings.maxRooms ?? 0
  expect(answers).toEqual(
    new Map<unknown, number>([
      ['joined', most],
      ['OVERLOADED', wished - most],
    ]),
  )
})

describeWithRedis('a room of two nodes', () => {
  it('is heard by who joins it while they leave it, however often', async () => {
    const { nodes } = await startNodes(2)
    const [a, b] = nodes
    if (a === undefined || b === undefined) throw new Error('two were started')
    const client = await a.enter('ann')
    let seq = 0
    for (let round = 0; round < 40; round++) {
      client.send([6, ++seq, 'channel', { id: 'a' }])
      // Some leave a room that they are in, some one that they are on their way into.
      if (round % 2 === 0) await client.nextWhere(([type, its]) => type === 22 && its === seq, 'JOINED')
      client.send([7, seq])
    }
    client.send([6, ++seq, 'channel', { id: 'a' }])
    await client.nextWhere(([type, its]) => type === 22 && its === seq, 'JOINED')
    await b.live.room.channel({ id: 'a' }).publish('posted', { id: '1', text: 'heard' })
    const [, , , payload] = await client.nextWhere(([type]) => type === 23, 'a publication')
    expect(payload).toEqual({ id: '1', text: 'heard' })
    expect(a.live.room.channel({ id: 'a' }).connections()).toHaveLength(1)
    expect(b.live.room.channel({ id: 'a' }).connections()).toHaveLength(0)
  })
})
