import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProxy } from './tcp-proxy.js'
import { until } from './until.js'

/** A proxy in front of a server that keeps what it gets, with one client through it. */
async function start() {
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket)).listen(
    0,
    '127.0.0.1',
  )
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const proxy = await startProxy((server.address() as AddressInfo).port)
  const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  await until(() => accepted.length === 1)
  const [far] = accepted
  if (far === undefined) throw new Error('nobody was accepted')
  return { proxy, client: keep(client), far: keep(far) }
}

function keep(socket: Socket) {
  const end = { socket, got: '', ended: false, closed: false, error: '' }
  socket.on('data', (chunk) => {
    end.got += chunk
  })
  socket.on('end', () => {
    end.ended = true
  })
  socket.on('close', () => {
    end.closed = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end.error = error.code ?? ''
  })
  onTestFinished(() => void socket.destroy())
  return end
}

describe('the TCP proxy', () => {
  it('passes bytes and ends both ways', async () => {
    const { client, far } = await start()
    client.socket.end('ping')
    await until(() => far.got === 'ping' && far.ended)
    far.socket.end('pong')
    await until(() => client.got === 'pong' && client.closed)
  })

  it('is silent in one direction, ends included, and loses nothing when it is healed', async () => {
    const { proxy, client, far } = await start()
    proxy.silence('up')
    client.socket.end('held')
    far.socket.write('heard')
    await until(() => client.got === 'heard')
    expect([far.got, far.ended]).toEqual(['', false])
    proxy.heal()
    await until(() => far.got === 'held' && far.ended)
  })

  it('does not read without end from a sender whose receiver does not', async () => {
    const { client, far } = await start()
    far.socket.pause()
    const block = Buffer.alloc(1_048_576)
    let taken = 0
    while (taken < 64) {
      if (
        !client.socket.write(block) &&
        !(await Promise.race([once(client.socket, 'drain').then(() => true), stalled()]))
      )
        break
      taken++
    }
    expect(taken).toBeLessThan(64)
  })

  it('delays, and keeps order where the delay becomes shorter', async () => {
    const { proxy, client, far } = await start()
    proxy.delay(50)
    client.socket.write('a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    proxy.delay(0)
    client.socket.write('b')
    await until(() => far.got === 'ab')
  })

  it('cuts both sides, after exactly so many bytes where told', async () => {
    const { proxy, client, far } = await start()
    for (const link of proxy.links) link.cutAfter(3, 'up')
    client.socket.write('abcdef')
    await until(() => far.ended && client.ended)
    expect(far.got).toBe('abc')
    await until(() => proxy.links.size === 0)
  })

  it('resets where told', async () => {
    const { proxy, client, far } = await start()
    proxy.cut({ reset: true })
    await until(() => client.closed && far.closed)
    expect([client.error, far.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
  })
})

const stalled = (): Promise<boolean> => new Promise((resolve) => setTimeout(resolve, 300, false))
