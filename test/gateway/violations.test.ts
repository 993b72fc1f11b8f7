import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import { abortAll, type RawClient } from '../support/raw-client.js'
import { startServer, type TestServer } from '../support/server.js'
import { eventually } from './support.js'

let server: TestServer
let other: RawClient

beforeEach(async () => {
  server = await startServer({ maxPayload: 65_536 })
  other = await server.enter('other')
})
afterEach(abortAll)

const text = (payload: string): Buffer => wsFrame({ payload })
const frame = (...elements: readonly unknown[]): Buffer => text(JSON.stringify(elements))
const echo = (seq: number, said: string): Buffer => frame(2, seq, 'echo', { text: said })
/** Arrays in each other, the outermost counted. */
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

const closing: ReadonlyArray<readonly [what: string, code: number, bytes: Buffer]> = [
  ['half a JSON text', 4500, text('[2,1,"echo"')],
  ['two JSON texts', 4500, text('[10][10]')],
  ['an empty message', 4500, text('')],
  ['null', 4500, text('null')],
  ['an object', 4500, text('{"0":10}')],
  ['a frame without a number', 4500, frame()],
  ['a number that is a text', 4500, frame('10')],
  ['a number that is a fraction', 4500, frame(10.5)],
  ['a number below 0', 4500, frame(-1)],
  ['CALL without input', 4500, frame(2, 5, 'echo')],
  ['CALL with seq 0', 4500, frame(2, 0, 'echo', {})],
  ['CALL with a seq beyond what is safe', 4500, text('[2,9007199254740993,"echo",{}]')],
  ['CALL with a name of 1,025 characters', 4500, frame(2, 5, 'x'.repeat(1025), {})],
  ['CALL with a deadline below 0', 4500, frame(2, 5, 'echo', {}, -1)],
  ['CALL with half an operation', 4500, frame(2, 5, 'echo', {}, null, ['producer', 1])],
  ['JOIN with params that are no object', 4500, frame(6, 5, 'channel', ['a'])],
  ['JOIN with a position that is none', 4500, frame(6, 5, 'channel', { id: 'a' }, ['epoch', 1])],

  ['a binary message', 1003, wsFrame({ opcode: OPCODE.binary, payload: '[10]' })],
  ['an empty binary message', 1003, wsFrame({ opcode: OPCODE.binary })],
  ['a message of 1 MB', 1009, echo(5, 'x'.repeat(1_000_000))],
  ['a message one byte above the limit', 1009, text(`[10,"${'x'.repeat(65_536 - 6)}"]`)],
  ['a message in parts above the limit', 1009, Buffer.concat([parts(40_000, true), parts(40_000, false)])],
  ['a length that no message has', 1009, wsFrame({ length: 2n ** 62n })],
  ['invalid UTF-8', 1007, wsFrame({ payload: Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]) })],
  ['an unpaired surrogate as UTF-8', 1007, wsFrame({ payload: Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]) })],

  ['an unmasked frame', 1002, wsFrame({ mask: false, payload: '[10]' })],
  ['a reserved bit', 1002, wsFrame({ rsv: 4, payload: '[10]' })],
  ['a reserved opcode', 1002, wsFrame({ opcode: 3 })],
  ['a continuation of nothing', 1002, wsFrame({ opcode: OPCODE.continuation, payload: '[10]' })],
  ['a ping of 126 bytes', 1002, wsFrame({ opcode: OPCODE.ping, payload: 'x'.repeat(126) })],
  [
    'Close with a code that is never sent',
    1002,
    wsFrame({ opcode: OPCODE.close, payload: Buffer.from([3, 0xed]) }),
  ],

  ...[0, 11, 16, 30, 63, 96, 1000].map(
    (type) => [`the unknown frame ${type}`, 4501, frame(type, 1)] as const,
  ),
  ...[17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29].map(
    (type) => [`the server's own frame ${type}`, 4501, frame(type, 1, 'echo', {})] as const,
  ),

  ['CREDIT for no item', 4500, frame(4, 1, 0)],
  ['PRESENCE, which nobody here takes', 4502, frame(8, 1, { status: 'here' })],
  ['ANSWER to an ask that was never sent', 4502, frame(5, 1, { accepted: true })],

  [
    'a seq that waits, in a call',
    4503,
    Buffer.concat([frame(2, 5, 'wait', { name: 'w' }), frame(2, 5, 'echo', { text: '' })]),
  ],
  [
    'a seq that waits, in a join',
    4503,
    Buffer.concat([frame(2, 5, 'wait', { name: 'w' }), frame(6, 5, 'channel', { id: 'a' })]),
  ],
  [
    'a seq that waits, in a call behind a join',
    4503,
    Buffer.concat([frame(6, 5, 'channel', { id: 'a' }), frame(2, 5, 'echo', { text: '' })]),
  ],

  ['a frame 65 deep', 4504, text(`[2,5,"echo",${nested(64)}]`)],
  ['a frame 10,000 deep', 4504, text(`[2,5,"echo",${nested(10_000)}]`)],
  ['depth beyond the declared elements', 4504, text(`[10,${nested(64)}]`)],
  ['__proto__', 4504, text('[2,5,"echo",{"__proto__":{"admin":true}}]')],
  ['__proto__ deep inside', 4504, text('[2,5,"echo",{"a":[{"b":{"__proto__":null}}]}]')],
  ['__proto__ written with escapes', 4504, text('[2,5,"echo",{"\\u005f\\u005fproto__":{"admin":true}}]')],
  ['constructor.prototype', 4504, text('[2,5,"echo",{"constructor":{"prototype":{"admin":true}}}]')],
  ['__proto__ in a frame to be ignored', 4504, text('[64,{"__proto__":{}}]')],
]

function parts(length: number, first: boolean): Buffer {
  return wsFrame({
    opcode: first ? OPCODE.text : OPCODE.continuation,
    fin: !first,
    payload: 'x'.repeat(length),
  })
}

describe('a client that sends', () => {
  for (const [what, code, bytes] of closing) {
    it(`${what} is closed with ${code}; what came before is answered, what came behind is not looked at`, async () => {
      const client = await server.enter('ann')
      // In one write, and so mostly in one read.
      client.write(Buffer.concat([echo(1, 'before'), bytes, echo(2, 'behind')]))
      expect((await client.closed()).code).toBe(code)
      expect(server.probe.log.filter((line) => line.startsWith('echo'))).toEqual(['echo before'])
      expect(client.frames.slice(1, 2)).toEqual([[18, 1, { text: 'before' }]])
      expect(client.frames.filter(([type]) => type !== 17 && type !== 18)).toEqual([])
      await eventually(() => expect(server.gateway.sockets.size).toBe(1))

      other.send([2, 1, 'echo', { text: 'still here' }])
      expect(await other.next(18)).toEqual([18, 1, { text: 'still here' }])
      expect(({} as { admin?: boolean }).admin).toBeUndefined()
      expect(server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
      server.probe.release('w')
    })
  }
})

describe('what a later version may send', () => {
  it('frames numbered 64 to 95 are ignored', async () => {
    const client = await server.enter('ann')
    for (let type = 64; type <= 95; type++) client.send([type, { any: 'thing' }])
    client.send([2, 1, 'echo', { text: 'hi' }])
    expect(await client.next()).toEqual([18, 1, { text: 'hi' }])
  })

  it('elements behind the declared ones are ignored', async () => {
    const client = await server.enter('ann')
    client.send([2, 1, 'echo', { text: 'hi' }, null, null, 'more', { of: 'it' }])
    expect(await client.next()).toEqual([18, 1, { text: 'hi' }])
  })

  it('a frame 64 deep is looked at, and so is one of exactly the limit', async () => {
    const client = await server.enter('ann')
    client.send(`[2,1,"echo",${nested(63)}]`)
    expect(await client.next()).toMatchObject({ 0: 19, 1: 1, 2: 'INVALID_INPUT' })
    const most = `[2,2,"nothing","${'x'.repeat(65_536 - 16 - 2)}"]`
    client.send(most)
    expect(Buffer.byteLength(most)).toBe(65_536)
    expect(await client.next()).toMatchObject({ 0: 19, 1: 2, 2: 'UNKNOWN_CALL' })
  })

  it('a text in parts is one message, control frames between them included', async () => {
    const client = await server.enter('ann')
    const message = JSON.stringify([2, 1, 'echo', { text: 'é'.repeat(10) }])
    const bytes = Buffer.from(message)
    for (let at = 0; at < bytes.length; at++) {
      client.write(
        wsFrame({
          opcode: at === 0 ? OPCODE.text : OPCODE.continuation,
          fin: at === bytes.length - 1,
          payload: bytes.subarray(at, at + 1),
        }),
      )
      if (at === 5) client.write(wsFrame({ opcode: OPCODE.ping, payload: 'between' }))
    }
    expect(await client.next()).toEqual([18, 1, { text: 'é'.repeat(10) }])
  })

  it('CANCEL and LEAVE of what does not wait are ignored', async () => {
    const client = await server.enter('ann')
    client.send([3, 7])
    client.send([7, 7])
    client.send([2, 7, 'echo', { text: 'hi' }])
    expect(await client.next()).toEqual([18, 7, { text: 'hi' }])
    // Answered: the same seq may be used again.
    client.send([2, 7, 'echo', { text: 'again' }])
    expect(await client.next()).toEqual([18, 7, { text: 'again' }])
  })
})
