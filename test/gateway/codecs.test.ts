import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { Codecs } from '../../plugins/gateway/codecs.js'
import { msgpackOf } from '../support/msgpack.js'
import { refused } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

const JSON_ = 'ackord.v1.json'
const MSGPACK = 'ackord.v1.msgpack'

describe('the subprotocol', () => {
  it.each([
    [[JSON_], JSON_],
    [[MSGPACK], MSGPACK],
    [[JSON_, MSGPACK], JSON_],
    [['graphql-ws', MSGPACK, JSON_], MSGPACK],
    [['ackord.token.YWxpY2U', MSGPACK], MSGPACK],
  ])('of the offer %j is %s: the first that both speak', async (protocols, chosen) => {
    const { connect } = await startServer()
    expect((await connect({ protocols })).protocol).toBe(chosen)
  })

  it('that nobody here speaks is refused with what is spoken', async () => {
    const { url } = await startServer()
    const { status, body } = await refused(url, { protocols: ['ackord.v1.cbor'] })
    expect({ status, message: JSON.parse(body).message }).toEqual({
      status: 426,
      message: `offer the subprotocol ${JSON_} or ${MSGPACK}`,
    })
  })

  it('decides what messages are: one of the other kind closes 1003', async () => {
    const { connect } = await startServer()
    for (const [protocols, message] of [
      [[JSON_], msgpackOf([10])],
      [[MSGPACK], '[10]'],
    ] as const) {
      const client = await connect({ protocols })
      client.send(message)
      expect(await client.closed()).toMatchObject({ code: 1003 })
    }
  })

  it('is of text only where msgpackr is not there', () => {
    const codecs = new Codecs(undefined)
    expect(codecs.subprotocols).toEqual([JSON_])
    expect(codecs.choose([MSGPACK, JSON_])).toBe(JSON_)
    expect(codecs.choose([MSGPACK])).toBeUndefined()
    expect(() => codecs.pack('[26]')).toThrow('binary')
  })
})

describe('a binary connection', () => {
  it('gets BEAT in its own codec, and answers it', async () => {
    const clock = createClock()
    const { connect } = await startServer({ clock, heartbeat: 1000 })
    const clients = await Promise.all([JSON_, MSGPACK].map((protocol) => connect({ protocols: [protocol] })))
    for (const [i, client] of clients.entries()) {
      client.send([1, `s${i}`, 'h', '1', [], `user${i}`])
      await client.next(17)
    }
    await clock.advance(1200)
    for (const client of clients) expect(await client.next(26)).toEqual([26])
    expect(clients.map(({ received }) => received.at(-1)?.data)).toEqual(['[26]', Buffer.from([0x91, 26])])
    for (const client of clients) client.send([10])
    for (const client of clients) await client.ping()
    await clock.advance(1200)
    for (const client of clients) expect(await client.next(26)).toEqual([26])
  })

  it.each([
    ['an extension', 'd4 00 00', 4500],
    ['a list of four billion', 'dd ffffffff', 4500],
    ['no UTF-8', 'a1 ff', 4500],
    ['bytes behind it', 'c0 c0', 4500],
    ['an unsafe key', '81 a9 5f5f70726f746f5f5f c0', 4504],
    ['too deep a nesting', `${'91'.repeat(70)} c0`, 4504],
  ])('that sends %s is closed', async (_, input, code) => {
    const { connect } = await startServer()
    const client = await connect({ protocols: [MSGPACK] })
    client.send([1, 's', 'h', '1', [], 'alice'])
    await client.next(17)
    client.send(Buffer.from(`9402 01 a4 6563686f ${input}`.replaceAll(' ', ''), 'hex'))
    expect(await client.closed()).toMatchObject({ code })
  })
})
