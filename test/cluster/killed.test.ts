import { once } from 'node:events'
import { expect, it, onTestFinished } from 'vitest'
import { answer as answerOf, start } from '../faults/child.js'
import { connect, type RawClient } from '../support/raw-client.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { contract, startApp } from './support/app.js'

/** A client of the room `a`, by the text codec. */
async function enter(url: string, user: string): Promise<RawClient> {
  const client = await connect(url)
  client.send([1, user, contract.hash, '1.0.0', [], user])
  await client.next(17)
  client.send([6, 1, 'hall', { id: 'a' }])
  await client.next(22)
  return client
}

describeWithRedis('a node that is killed', () => {
  it('is nodeLost for each of its connections, once it has been silent for 15 s, and never a hang', async () => {
    const redis = await startRedis()
    const parent = await startApp(redis.port)
    onTestFinished(() => parent.app.close())
    const child = start(new URL('./support/child.ts', import.meta.url), String(redis.port))
    onTestFinished(() => void child.kill('SIGKILL'))
    const { node, url } = await answerOf<{ node: string; url: string }>(child)
    const events: string[] = []
    // The first time it cannot be cleared: it is told of again.
    parent.cluster.onNode((event, who) => {
      events.push(`${event} ${who}`)
      if (event === 'lost' && !events.includes('failed')) {
        events.push('failed')
        throw new Error('cannot be cleared now')
      }
    })
    await until(() => parent.cluster.nodes().length === 2)
    const [ann, ben, bob] = [await enter(parent.url, 'ann'), await enter(url, 'ben'), await enter(url, 'bob')]
    const room = parent.live.room.hall({ id: 'a' })
    const picture = new Uint8Array([1, 2, 3])
    const answers: unknown[] = []
    const done = (async () => {
      const asked = room.askAll('offer', { id: '1', picture }, { timeout: 120_000 })
      for await (const { member, answer } of asked) answers.push([member?.user, answer])
    })()
    for (const client of [ann, ben]) {
      const [, , payload, ask] = await client.next(21)
      expect(payload).toEqual({ id: '1', picture: 'AQID' })
      client.send([5, ask as number, { accepted: true, picture: 'BAUG' }])
    }
    await bob.next(21)
    await until(() => answers.length === 2)
    const value = { accepted: true, picture: new Uint8Array([4, 5, 6]) }
    expect(answers).toContainEqual(['ben', { status: 'answered', value }])

    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
    await done
    expect(answers).toHaveLength(3)
    expect(answers[2]).toEqual(['bob', { status: 'nodeLost' }])
    expect([parent.cluster.isAlive(node), parent.cluster.nodes().length]).toEqual([false, 1])
    expect((await room.members()).map(({ user }) => user)).toEqual(['ann'])
    const client = await redis.connect()
    expect(await client.hkeys('ackord:{nodes}')).toContain(node)
    await until(async () => (await client.hkeys('ackord:{nodes}')).join() === parent.cluster.node)
    expect(events.filter((event) => event === `lost ${node}`)).toHaveLength(2)
  }, 120_000)
})
