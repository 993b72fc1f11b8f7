import Fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createClock, createNetwork, type Network } from '../../client/testing/index.js'
import { call, defineContract, Type } from '../../contract/index.js'
import ackord, { namespace } from '../../plugins/index.js'

const contract = defineContract({
  name: 'clock',
  version: '1.0.0',
  calls: { add: call({ input: Type.Array(Type.Number()), ack: Type.Number() }) },
})

const HELLO = JSON.stringify([1, 'session-1', contract.hash, contract.version, []])

const apps: { close(): PromiseLike<unknown> }[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

async function serve() {
  const clock = createClock()
  const app = Fastify()
  apps.push(app)
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  await app.register(ackord, { clock, heartbeat: 25_000, handshakeTimeout: 5_000 })
  await app.register(live.plugin({ calls: { add: (numbers) => numbers.reduce((sum, n) => sum + n, 0) } }))
  return { clock, app, live, network: await createNetwork(app) }
}

/** Speaks the protocol by hand and notes what comes. */
function dial(network: Network) {
  const socket = new network.WebSocket('ws://test/live', ['ackord.v1.json'])
  const told: unknown[] = []
  socket.onmessage = (event: { data: string }) => void told.push(JSON.parse(event.data))
  socket.onclose = (event: { code: number }) => void told.push(event.code)
  return { socket, told }
}

describe('a namespace in memory', () => {
  it('answers calls', async () => {
    const { clock, network } = await serve()
    const { socket, told } = dial(network)
    await network.settle()
    socket.send(HELLO)
    socket.send('[2,1,"add",[1,2,3]]')
    await network.settle()
    expect(told).toMatchObject([
      [17, 'session-1', {}, [], 'same', clock.wall()],
      [18, 1, 6],
    ])
  })

  it('gives up on a client that says nothing, when the clock says so', async () => {
    const { clock, network } = await serve()
    const { told } = dial(network)
    await network.settle()
    await clock.advanceAsync(4_000)
    expect(told).toEqual([])
    await clock.advanceAsync(2_000)
    expect(told).toEqual([4001])
  })

  it('sends its heartbeat by the clock, and ends a half-open connection for want of one', async () => {
    const { app, clock, live, network } = await serve()
    const { socket, told } = dial(network)
    await network.settle()
    socket.send(HELLO)
    await network.settle()
    socket.onmessage = (event: { data: string }) => {
      told.push(JSON.parse(event.data))
      socket.send('[10]')
    }
    await clock.advanceAsync(300_000)
    expect(told.slice(1).length).toBeGreaterThan(8)
    expect(told.slice(1).every((frame) => JSON.stringify(frame) === '[26]')).toBe(true)

    network.stall()
    await clock.advanceAsync(100_000)
    expect([...app.ackord(live).connections()]).toEqual([])
    network.resume()
    await network.settle()
    expect(told.at(-1)).toBe(4000)
  })

  it('closes within its grace time while the network hangs', async () => {
    const { app, clock, network } = await serve()
    const { socket } = dial(network)
    await network.settle()
    socket.send(HELLO)
    await network.settle()
    network.stall()
    let closed = false
    const closing = app.close().then(() => {
      closed = true
    })
    await network.settle()
    expect(closed).toBe(false)
    await clock.advanceAsync(60_000)
    await closing
    network.resume()
    await network.settle()
    expect(network.connections).toEqual([])
  })
})
