import { afterEach, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { call, defineContract, Type } from '../../contract/index.js'
import { ackord, namespace, refuseCall } from '../../plugins/index.js'
import { listen, makeApp } from '../gateway/support.js'
import { abortAll, connect } from '../support/raw-client.js'

afterEach(abortAll)

const counting = defineContract({
  name: 'counting',
  version: '1.0.0',
  calls: {
    all: call({ input: Type.Null(), item: Type.Integer(), ack: Type.Null() }),
    admins: call({ input: Type.Null(), item: Type.Integer(), ack: Type.Null() }),
  },
})

interface Person {
  readonly id: string
  readonly role: string
}

it('a stream goes on when its user changed, and its handler sees who they are now', async () => {
  const { app } = makeApp()
  const live = namespace(counting, {
    path: '/live',
    authenticate: ({ token }): Person => ({ id: token, role: 'admin' }),
    reauthorize: ({ id }): Person => ({ id, role: 'guest' }),
  })
  await app.register(ackord, { grace: 0, clock: createClock() })
  await app.register(
    live.plugin({
      calls: {
        all: async function* () {
          for (let i = 1; ; i++) yield i
        },
        admins: async function* (_input, context) {
          for (let i = 1; ; i++) {
            if (context.user.role !== 'admin') throw refuseCall('FORBIDDEN')
            yield i
          }
        },
      },
    }),
  )
  const client = await connect(`ws://127.0.0.1:${await listen(app)}/live`)
  client.send([1, 'session', counting.hash, '1.0.0', [], 'ann'])
  for (const [i, name] of ['all', 'admins'].entries()) {
    client.send([2, i + 1, name, null])
    client.send([4, i + 1, 1])
    expect(await client.next(20)).toEqual([20, i + 1, 1])
  }
  await app.ackord(live).revoke({ user: 'ann' }, { mode: 'reauthorize' })
  for (const seq of [1, 2]) client.send([4, seq, 1])
  expect(await client.next(20)).toEqual([20, 1, 2])
  expect(await client.next(19)).toEqual([19, 2, 'FORBIDDEN', null])
})
