import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let other: RawClient

beforeEach(async () => {
  server = await startServer({ maxPayload: 65_536 })
  other = await server.enter('other')
})
afterEach(abortAll)

async function expectOthersServed(): Promise<void> {
  other.send([2, 1, 'echo', { text: 'still here' }])
  expect(await other.next(18)).toEqual([18, 1, { text: 'still here' }])
  expect(server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
}

const part = (payload: string, fin = false): Buffer => wsFrame({ opcode: OPCODE.continuation, fin, payload })
const times = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array<Buffer>(count).fill(bytes))

describe('a flood of tiny fragments', () => {
  it('is closed with 1009 as soon as they are more than a message may be', async () => {
    const client = await server.enter('ann')
    client.write(Buffer.concat([wsFrame({ fin: false, payload: '[' }), times(10_000, part('        '))]))
    expect((await client.closed()).code).toBe(1009)
    await expectOthersServed()
  })

  for (const [what, payload] of [
    ['nothing', ''],
    ['one byte', ' '],
  ] as const) {
    it(`of ${what} each is closed with 1008 beyond 16,384, since what they cost is not their bytes`, async () => {
      const client = await server.enter('ann')
      client.write(Buffer.concat([wsFrame({ fin: false, payload: '[' }), times(100_000, part(payload))]))
      expect((await client.closed()).code).toBe(1008)
      await expectOthersServed()
    })
  }

  it('of nothing, up to that, is one message', async () => {
    const client = await server.enter('ann')
    client.write(Buffer.concat([wsFrame({ fin: false, payload: '[2,1,"echo",' }), times(16_000, part(''))]))
    await expectOthersServed()
    client.write(part('{"text":"done"}]', true))
    expect(await client.next(18)).toEqual([18, 1, { text: 'done' }])
  })
})

describe('Close', () => {
  const close = (payload: Uint8Array): Buffer => wsFrame({ opcode: OPCODE.close, payload })
  const code = (value: number): Buffer => Buffer.from([value >> 8, value & 255])

  for (const bad of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535]) {
    it(`with ${bad}, which nobody may send, is answered with 1002`, async () => {
      const client = await server.enter('ann')
      client.write(close(code(bad)))
      expect((await client.closed()).code).toBe(1002)
      await expectOthersServed()
    })
  }

  it('of one byte is answered with 1002, and one whose reason is no UTF-8 with 1007', async () => {
    const [ann, bob] = [await server.enter('ann'), await server.enter('bob')]
    ann.write(close(Buffer.of(3)))
    bob.write(close(Buffer.concat([code(1000), Buffer.of(0xff)])))
    expect((await ann.closed()).code).toBe(1002)
    expect((await bob.closed()).code).toBe(1007)
    await expectOthersServed()
  })
})

describe('CREDIT', () => {
  for (const items of ['9007199254740992', '1e308', '-1', '0.5', '"1"', 'null']) {
    it(`of ${items} is closed with 4500, whether there is a stream or not`, async () => {
      const client = await server.enter('ann')
      client.send(`[4,1,${items}]`)
      expect((await client.closed()).code).toBe(4500)
      await expectOthersServed()
    })
  }
})

describe('a seq that is used again once it was answered', () => {
  it('gets its own answer, and not the late one of a call that was cancelled', async () => {
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'first' }])
    client.send([3, 1])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'CANCELLED'])
    client.send([2, 1, 'wait', { name: 'second' }])
    await client.ping()
    server.probe.release('first')
    client.send([2, 2, 'echo', { text: 'behind it' }])
    expect(await client.next(18)).toEqual([18, 2, { text: 'behind it' }])
    server.probe.release('second')
    expect(await client.next(18)).toEqual([18, 1, null])
  })

  it('gets its own answer, and not the late one of a call whose time was over', async () => {
    const client = await server.enter('ann')
    client.send([2, 1, 'wait', { name: 'first' }, 1])
    expect((await client.next(19)).slice(0, 3)).toEqual([19, 1, 'TIMEOUT'])
    client.send([2, 1, 'wait', { name: 'second' }])
    await client.ping()
    server.probe.release('first')
    client.send([2, 2, 'echo', { text: 'behind it' }])
    expect(await client.next()).toEqual([18, 2, { text: 'behind it' }])
    server.probe.release('second')
    expect(await client.next()).toEqual([18, 1, null])
  })
})
