import { afterEach, describe, expect, it } from 'vitest'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { eventually } from './support.js'

afterEach(abortAll)

describe('a connection with as many calls under way as WELCOME grants', () => {
  it('is still read: CANCEL and BEAT come through', async () => {
    const { enter, probe } = await startServer({ inFlight: 1 })
    const client = await enter('ann')
    client.send([2, 1, 'wait', { name: 'w' }])
    await eventually(() => expect(probe.signals.has('w')).toBe(true))
    client.send([10])
    await client.next(26)
    client.send([3, 1])
    await eventually(() => expect(probe.signals.get('w')?.aborted).toBe(true))
  })
})
