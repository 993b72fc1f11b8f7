import { afterEach, expect, it } from 'vitest'
import type { RefuseInfo } from '../../plugins/gateway/index.js'
import { abortAll } from '../support/raw-client.js'
import { contract, startServer } from '../support/server.js'

afterEach(abortAll)

it('A session too many is counted, told to onRefuse and logged, though it has its 101', async () => {
  const told: RefuseInfo[] = []
  const { app, connect, enter, lines } = await startServer({
    maxConnectionsPerUser: 1,
    after: (app) => app.ackordGateway.addHook('onRefuse', (refusal) => void told.push(refusal)),
  })
  await enter('ann', 'first')
  for (const session of ['second', 'third']) {
    const client = await connect()
    client.send([1, session, contract.hash, '1.0.0', [], 'ann'])
    expect((await client.closed()).code).toBe(1013)
  }
  expect(told).toMatchObject(
    Array(2).fill({
      ip: '127.0.0.1',
      status: 429,
      code: 'TOO_MANY_CONNECTIONS',
      mount: { path: '/v1/live' },
    }),
  )
  const { upgrades, closes } = app.ackord.stats()
  expect(upgrades).toMatchObject({ accepted: 3, refused: { TOO_MANY_CONNECTIONS: 2 } })
  expect(closes.sent).toEqual({ 1013: 2 })
  expect(lines.filter(({ option }) => option === 'maxConnectionsPerUser')).toHaveLength(1)
})
