import { expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { roomsOf } from '../../plugins/rooms/index.js'
import { connectBytes, OPCODE, type RawSocket, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { contract, startServer, type TestServer } from '../support/server.js'
import { eventually, socketsOf } from './support.js'

const CONNECTIONS = 10_000
const BATCH = 250

const frame = (...elements: readonly unknown[]): Buffer => wsFrame({ payload: JSON.stringify(elements) })
const hello = (n: number, user: string): Buffer => frame(1, `s${n}`, contract.hash, '1.0.0', [], user)
const join = (seq: number, id: string): Buffer => frame(6, seq, 'channel', { id })
const clean = wsFrame({ opcode: OPCODE.close, payload: Buffer.from([0x03, 0xe8]) })
const reset = (socket: RawSocket): void => void socket.socket.resetAndDestroy()
const cut = (socket: RawSocket): void => socket.destroy()
const answer = (socket: RawSocket): void => socket.write(clean)

/** One way of a connection to come and go. */
interface Life {
  readonly headers?: Readonly<Record<string, string>>
  /** What is sent right behind the upgrade. */
  readonly says?: (n: number) => readonly Buffer[]
  /** What is awaited before the end. */
  readonly until?: string
  /** Absent: the server ends it by itself. */
  readonly end?: (socket: RawSocket) => void
}

const lives: readonly Life[] = [
  // In the middle of the upgrade, before it is decided, and after.
  { end: cut },
  { headers: { authorization: 'Bearer slow' }, end: reset },
  { headers: { authorization: 'Bearer bad' } },
  { until: '101', end: reset },
  // In the middle of the handshake.
  { says: (n) => [hello(n, 'slow')], until: '101', end: cut },
  { says: (n) => [hello(n, 'bad')], until: 'token missing', end: answer },
  { says: () => [frame(10)], until: 'not allowed', end: answer },
  // With WELCOME, or with a Close right behind HELLO.
  { says: (n) => [hello(n, 'ann'), clean] },
  { says: (n) => [hello(n, 'ann')], until: '[17,', end: answer },
  { says: (n) => [hello(n, `user${n}`)], until: '[17,', end: reset },
  { says: (n) => [hello(0, `twin${n % 3}`)], until: '[17,', end: cut },
  // In rooms, with calls, joins and asks under way.
  { says: (n) => [hello(n, 'ben'), join(1, 'all'), join(2, `own${n}`)], until: '[22,2', end: reset },
  { says: (n) => [hello(n, 'ben'), join(1, 'all')], until: '[22,1', end: answer },
  {
    says: (n) => [hello(n, 'cid'), frame(2, 1, 'wait', { name: `${n}` }), join(2, 'all')],
    until: '[22,2',
    end: cut,
  },
  { says: (n) => [hello(n, `asked${n}`), frame(2, 1, 'nudge', { name: 'ask' })], until: '[21,', end: reset },
  {
    says: (n) => [hello(n, 'dan'), join(1, 'all'), frame(2, 2, 'wait', { name: `${n}` }), frame(8, 1, {})],
    until: 'not allowed',
    end: answer,
  },
]

async function live(server: TestServer, n: number): Promise<void> {
  const { headers = {}, says, until, end } = lives[n % lives.length] ?? {}
  const socket = await connectBytes(server.url)
  socket.write(Buffer.concat([Buffer.from(upgradeRequest(server.url, headers)), ...(says?.(n) ?? [])]))
  if (until !== undefined) await socket.until(until)
  end?.(socket)
  await socket.ended()
  socket.destroy()
}

it(`nothing is left of ${CONNECTIONS} connections, however they ended`, { timeout: 60_000 }, async () => {
  const clock = createClock()
  let asked = 0
  let gone = 0
  let opened = 0
  let ask = async (_user: string): Promise<void> => {}
  const server = await startServer({
    clock,
    // All of a batch may wait for their token at once, from one address.
    maxUnauthenticated: 4 * BATCH + 100,
    namespace: {
      authenticate: async ({ token }) => {
        // A few turns of the loop: many peers are gone by then.
        if (token === 'slow') for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
        return token === 'bad' ? null : { id: token, role: 'member' }
      },
    },
    after: (app) => {
      app.ackordGateway.addHook('onConnect', () => void opened++)
      app.ackordGateway.addHook('onCall', (call, next) => {
        if (call.name === 'nudge') void ask(call.connection.user.id)
        return next()
      })
    },
  })
  ask = async (user) => {
    asked++
    const answer = await server.live.user(user).ask('offer', { id: user })
    if (answer.status === 'gone') gone++
  }
  const { app, gateway, probe } = server
  const [mount] = gateway.paths.values()
  if (mount === undefined) throw new Error('nothing is mounted')
  const { rooms } = roomsOf(mount)

  for (let n = 0; n < CONNECTIONS; n += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, (_, i) => live(server, n + i)))
    if (n % (10 * BATCH) === 0)
      await server.live.room.channel({ id: 'all' }).publish('posted', { id: `${n}`, text: '' })
  }
  for (const name of probe.signals.keys()) probe.release(name)

  await eventually(async () => {
    expect({
      sockets: gateway.sockets.size,
      upgrades: gateway.upgrades.size,
      handshakes: gateway.handshakes.size,
      connections: mount.connections.size,
      users: mount.connections.users,
      rooms: rooms.size,
      descriptors: await socketsOf(app),
      places: gateway.caps.connections.size + gateway.caps.connections.keys,
      anonymous: gateway.caps.anonymous.size + gateway.caps.anonymous.keys,
      expected: mount.expected.size + mount.expected.keys,
    }).toEqual({
      sockets: 0,
      upgrades: 0,
      handshakes: 0,
      connections: 0,
      users: 0,
      rooms: 0,
      descriptors: 0,
      places: 0,
      anonymous: 0,
      expected: 0,
    })
  })
  // It was not empty all the time: half of the ways lead to WELCOME.
  expect(opened).toBeGreaterThanOrEqual(CONNECTIONS / 2)
  expect(asked).toBe(CONNECTIONS / lives.length)
  expect(gone).toBe(asked)
  expect(probe.signals.size).toBeGreaterThan(CONNECTIONS / lives.length)
  expect([...probe.signals.values()].every(({ aborted }) => aborted)).toBe(true)
  // Deadlines and the heartbeat look once more, and the broker forgets its rooms: then there is no timer.
  clock.advance(600_000)
  expect(clock.pending).toBe(0)
  expect(server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
})
