import zlib from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../gateway/support.js'
import { connectBytes, type RawSocket, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { contract, startServer } from '../support/server.js'

const COMPRESSION = { level: 2, memLevel: 3, windowBits: 10 }
const CONCURRENCY = 10
const CHUNK_BYTES = 4096

// Of bytes, without `ws`: the first WebSocket of a process that may compress sets its limit, and that has to be the server's.
const sockets = new Set<RawSocket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  vi.restoreAllMocks()
})

async function offer(url: string, extensions: string) {
  const socket = await connectBytes(url)
  sockets.add(socket)
  socket.write(upgradeRequest(url, { 'sec-websocket-extensions': extensions }))
  const head = await socket.until('\r\n\r\n')
  return { socket, granted: /^sec-websocket-extensions: (.*)\r$/im.exec(head)?.[1] }
}

/** A client that is granted compression, and has been welcomed. */
async function enter(url: string, user: string): Promise<RawSocket> {
  const { socket } = await offer(url, 'permessage-deflate')
  socket.write(wsFrame({ payload: JSON.stringify([1, user, contract.hash, '1.0.0', [], user]) }))
  await socket.until('[17,')
  return socket
}

const ALWAYS = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

describe('the bounds of compression', () => {
  it.each([
    ['permessage-deflate', `${ALWAYS}; server_max_window_bits=10`],
    ['permessage-deflate; client_max_window_bits', `${ALWAYS}; server_max_window_bits=10`],
    ['permessage-deflate; server_max_window_bits=12', `${ALWAYS}; server_max_window_bits=10`],
    [
      'permessage-deflate; client_max_window_bits=11',
      `${ALWAYS}; server_max_window_bits=10; client_max_window_bits=11`,
    ],
    ['permessage-deflate; server_max_window_bits=9', undefined],
    [
      'permessage-deflate; server_max_window_bits=9, permessage-deflate',
      `${ALWAYS}; server_max_window_bits=10`,
    ],
  ])('are what the offer %j is answered with', async (extensions, answer) => {
    const { url } = await startServer({ compression: COMPRESSION })
    const { granted } = await offer(url, extensions)
    expect(parametersOf(granted)).toEqual(parametersOf(answer))
  })

  it('are what zlib is given, and ten messages are compressed at a time', async () => {
    const made = vi.spyOn(zlib, 'createDeflateRaw')
    const { url, live } = await startServer({ compression: COMPRESSION })
    const users = Array.from({ length: CONCURRENCY + 3 }, (_, i) => `user${i}`)
    for (const user of users) await enter(url, user)
    expect(made).not.toHaveBeenCalled()

    // Each connection makes its compressor when the first message's turn comes. No result is back before the next poll.
    for (const user of users) live.user(user).send('notice', { id: 'm', text: 'x'.repeat(100_000) })
    await new Promise((resolve) => setImmediate(resolve))
    expect(made).toHaveBeenCalledTimes(CONCURRENCY)

    await eventually(() => expect(made).toHaveBeenCalledTimes(users.length))
    for (const [options] of made.mock.calls)
      expect(options).toEqual({ ...COMPRESSION, chunkSize: CHUNK_BYTES })
  })
})

/** An extension's answer without the order of its parameters. */
const parametersOf = (answer: string | undefined): string[] | undefined => answer?.split('; ').sort()
