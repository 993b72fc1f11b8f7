import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { connectBytes, OPCODE, upgradeRequest, wsFrame } from './raw-bytes.js'
import { abortAll, connect, refused, UpgradeRefused } from './raw-client.js'

let server: Server
let sockets: WebSocketServer
let url: string

/** Echoes messages of one kind each; text that begins with "close" closes, "twice" answers twice. */
function serve(websocket: WebSocket): void {
  websocket.on('message', (data, binary) => {
    const text = data.toString()
    if (text.startsWith('close')) websocket.close(4500, 'told to')
    else if (text === 'drop') websocket.terminate()
    else for (let n = text === 'twice' ? 2 : 1; n > 0; n--) websocket.send(data, { binary })
  })
  // The peers of these tests break the protocol on purpose; what they get is a close.
  websocket.on('error', () => {})
}

beforeAll(async () => {
  server = createServer()
  sockets = new WebSocketServer({ noServer: true, maxPayload: 1000 })
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/no') {
      socket.end(
        'HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nretry-after: 7\r\ncontent-length: 6\r\n\r\nnot ok',
      )
    } else if (request.url === '/mute') {
      socket.destroy()
    } else {
      sockets.handleUpgrade(request, socket, head, (websocket) => {
        // At once with the 101: a client that listens late misses it.
        websocket.send(JSON.stringify(['hello', request.headers['x-test'] ?? null]))
        serve(websocket)
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(abortAll)
afterAll(async () => {
  sockets.close()
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

describe('the raw client', () => {
  it('opens with the headers and subprotocols it is given, and misses nothing', async () => {
    const client = await connect(url, { headers: { 'x-test': 'yes' }, protocols: ['one', 'two'] })
    expect(client.protocol).toBe('one')
    expect(await client.next()).toEqual(['hello', 'yes'])
    expect((await connect(url)).protocol).toBe('ackord.v1.json')
  })

  it('takes frames by number, once each, and leaves the others', async () => {
    const client = await connect(url)
    for (const frame of [
      [1, 'a'],
      [2, 'b'],
      [1, 'c'],
    ])
      client.send(frame)
    expect(await client.next(2)).toEqual([2, 'b'])
    expect(await client.next(1)).toEqual([1, 'a'])
    expect(await client.next(1)).toEqual([1, 'c'])
    expect(client.frames).toEqual([
      ['hello', null],
      [1, 'a'],
      [2, 'b'],
      [1, 'c'],
    ])
  })

  it('sends text and bytes as they are, and gets them as they are', async () => {
    const client = await connect(url)
    await client.next()
    client.send('{"not": an array')
    expect(await client.nextMessage()).toBe('{"not": an array')
    client.send(new Uint8Array([1, 2, 255]))
    expect(await client.nextMessage()).toEqual(Buffer.from([1, 2, 255]))
  })

  it('knows by a ping that what was sent before has been read', async () => {
    const client = await connect(url)
    client.send('twice')
    await client.ping()
    expect(client.received.map(({ data }) => data)).toEqual(['["hello",null]', 'twice', 'twice'])
    await client.ping()
  })

  it('says how it was closed, and who waits is told', async () => {
    const client = await connect(url)
    const waiting = client.next(99)
    client.send('close')
    await expect(waiting).rejects.toThrow(/Waited for frame 99: the connection closed with 4500 told to/)
    expect(await client.closed()).toEqual({ code: 4500, reason: 'told to' })
    expect(await client.closed()).toEqual({ code: 4500, reason: 'told to' })
    await expect(client.next(99)).rejects.toThrow(/4500/)
    // What came before can still be taken.
    expect(await client.next()).toEqual(['hello', null])
  })

  it('sees a lost connection as 1006', async () => {
    const client = await connect(url)
    client.send('drop')
    expect((await client.closed()).code).toBe(1006)
  })

  it('receives nothing while it is paused', async () => {
    const client = await connect(url)
    await client.next()
    client.pause()
    client.send('late')
    const other = await connect(url)
    other.send('early')
    await other.ping()
    expect(client.received).toHaveLength(1)
    client.resume()
    expect(await client.nextMessage()).toBe('late')
  })

  it('closes with a handshake, or without one', async () => {
    const polite = await connect(url)
    polite.close(4004, 'moved')
    expect(await polite.closed()).toEqual({ code: 4004, reason: 'moved' })
    for (const reset of [false, true]) {
      const rude = await connect(url)
      rude.abort({ reset })
      expect((await rude.closed()).code).toBe(1006)
    }
  })

  it('gives the whole answer of a refusal', async () => {
    const refusal = await refused(`${url}/no`)
    expect(refusal).toBeInstanceOf(UpgradeRefused)
    expect(refusal).toMatchObject({ status: 403, body: 'not ok', headers: { 'retry-after': '7' } })
    await expect(connect(`${url}/no`)).rejects.toMatchObject({ status: 403 })
  })

  it('rejects where there was no answer, and where a refusal was expected and did not come', async () => {
    await expect(connect(`${url}/mute`)).rejects.toThrow(/socket hang up|ECONNRESET/)
    await expect(refused(`${url}/mute`)).rejects.toThrow(/socket hang up|ECONNRESET/)
    await expect(refused(url)).rejects.toThrow('not refused')
  })
})

describe('raw bytes', () => {
  it('make a right frame of any length by default', async () => {
    const client = await connect(url)
    await client.next()
    for (const length of [0, 1, 125, 126, 1000]) {
      client.write(wsFrame({ payload: 'é'.repeat(length / 2) + 'x'.repeat(length % 2) }))
      expect(await client.nextMessage()).toHaveLength(Math.ceil(length / 2))
    }
    client.write(wsFrame({ payload: 'one ', fin: false }))
    client.write(wsFrame({ opcode: OPCODE.continuation, payload: 'message' }))
    expect(await client.nextMessage()).toBe('one message')
    client.write(wsFrame({ payload: 'x'.repeat(70_000) }))
    expect((await client.closed()).code).toBe(1009)
  })

  it('make wrong frames of each kind', async () => {
    const wrong: ReadonlyArray<readonly [number, Buffer]> = [
      [1002, wsFrame({ mask: false, payload: 'a' })],
      [1002, wsFrame({ rsv: 4, payload: 'a' })],
      [1002, wsFrame({ opcode: 3 })],
      [1002, wsFrame({ opcode: OPCODE.ping, fin: false })],
      [1002, wsFrame({ opcode: OPCODE.continuation })],
      [1007, wsFrame({ payload: new Uint8Array([0xff, 0xfe]) })],
      [1009, wsFrame({ length: 2n ** 62n })],
    ]
    for (const [code, bytes] of wrong) {
      const client = await connect(url)
      client.write(bytes)
      expect([bytes, (await client.closed()).code]).toEqual([bytes, code])
    }
  })

  it('make a handshake that a server takes, header by header', async () => {
    const right = await connectBytes(url)
    right.write(upgradeRequest(`${url}/path?query`))
    // The key and its answer are those of RFC 6455 § 1.3.
    expect(await right.until('hello')).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    right.write(wsFrame({ payload: 'close' }))
    right.write(wsFrame({ opcode: OPCODE.close, payload: new Uint8Array([0x03, 0xe8]) }))
    expect((await right.ended()).toString('latin1')).toContain('told to')

    for (const headers of [{ 'Sec-WebSocket-Key': undefined }, { 'sec-websocket-version': '1' }]) {
      const wrong = await connectBytes(url)
      wrong.write(upgradeRequest(url, headers))
      expect(await wrong.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 4\d\d /)
    }
    const garbage = await connectBytes(url)
    garbage.write(upgradeRequest(url, {}, 'NONSENSE'))
    expect((await garbage.ended()).toString()).toContain('400')
  })

  it('fail at the end of a connection, with what came instead', async () => {
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(`${url}/no`))
    await expect(socket.until('101')).rejects.toThrow(/Waited for "101": the connection ended.*403/s)
    await expect(connectBytes('ws://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED')
  })
})
