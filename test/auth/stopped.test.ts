import { afterEach, expect, it, onTestFinished } from 'vitest'
import { contract, startApp } from '../cluster/support/app.js'
import { answer as answerOf, start } from '../faults/child.js'
import { abortAll, connect } from '../support/raw-client.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

afterEach(abortAll)

/** A client of ann's session `s`. */
async function enter(url: string) {
  const client = await connect(url)
  client.send([1, 's', contract.hash, '1.0.0', [], 'ann'])
  await client.next(17)
  return client
}

describeWithRedis('a node that stands still', () => {
  it('holds up nobody who leaves it, and ends what they left when it goes on', async () => {
    const redis = await startRedis()
    const parent = await startApp(redis.port)
    onTestFinished(() => parent.app.close())
    const child = start(new URL('../cluster/support/child.ts', import.meta.url), String(redis.port))
    onTestFinished(() => void child.kill('SIGKILL'))
    const { url } = await answerOf<{ url: string }>(child)
    await until(() => parent.cluster.nodes().length === 2)
    const older = await enter(url)
    child.kill('SIGSTOP')
    await enter(parent.url)
    child.kill('SIGCONT')
    expect((await older.closed()).code).toBe(4505)
    expect([...parent.live.connections()].map(({ session }) => session)).toEqual(['s'])
  })
})
