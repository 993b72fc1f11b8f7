/** The server under test: a process of its own, so that its end and its memory are its own. Speaks to its parent. */
import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { ackord, namespace } from '../../plugins/index.js'
import type { Held, Order, Report } from './child.js'
import { contract, REFUSED_TOKENS } from './contract.js'

const say = (report: Report): void => void process.send?.(report)

const log = new Writable({
  write(line, _encoding, done) {
    say({ kind: 'log', line: String(line).trim() })
    done()
  },
})
const app = Fastify({ logger: { level: 'error', stream: log }, forceCloseConnections: true })
// A busy machine, and one address that everybody comes from, are no faults here.
await app.register(ackord, {
  maxLag: 60_000,
  handshakeTimeout: 60_000,
  maxConnectionsPerAddress: 10_000,
  grace: 1000,
})
const live = namespace(contract, {
  path: '/live',
  authenticate: async ({ token }) => {
    if (REFUSED_TOKENS.has(token)) return null
    const [, ms, id] = /^for-(\d{1,6})-(.{1,200})$/s.exec(token) ?? []
    return ms === undefined || id === undefined
      ? { id: token.slice(0, 200) }
      : { id, expiresAt: Date.now() + Number(ms) }
  },
  reauthorize: (user) => user,
})
const ENDS = ['kicked', 'revoked', 'reauthenticate'] as const
await app.register(
  live.plugin({
    calls: {
      echo: ({ text }) => ({ text }),
      'group.keep': (said) => [said, said],
      'group.add': () => null,
      nudge: (said, { connection }) => void connection.send('notice', said),
      later: async ({ ms }, { signal }) => {
        await sleep(ms, undefined, { signal })
        return null
      },
      refuse: ({ ounces }, { fail }) => fail('TEAPOT', { ounces }),
      bytes: (input) => input,
      async *count({ to, fails }, { fail }) {
        for (let n = 1; n <= to; n++) {
          if (n % 10 === 0) await null
          if (fails && n === 5) fail('TIRED', { at: n })
          yield { n, text: 'item' }
        }
        return { count: to }
      },
      limited: () => null,
      say: async ({ room, said, how }, { rooms, connection }) => {
        const event = (['posted', 'typing', 'price'] as const)[Math.abs(how) % 3] ?? 'posted'
        const options = how < 0 ? { except: connection } : {}
        await rooms.channel(room).publish(event, said, options)
        return null
      },
      evict: (room, { rooms, connection }) => rooms.channel(room).evict(connection),
      takeIn: async (room, { rooms, connection }) => {
        await rooms.channel(room).join(connection)
        return null
      },
      askBack: async (offer, { connection }) =>
        (await connection.ask('offer', offer, { timeout: 50 })).status,
      end: async ({ how }, { connection }) => {
        const code = ENDS[how]
        const { session } = connection
        if (code !== undefined) connection.disconnect(code)
        else await app.ackord(live).revoke({ session }, { mode: how === 3 ? 'close' : 'reauthorize' })
        return null
      },
    },
    rooms: { channel: { join: () => true }, closed: { join: () => false } },
    limits: { limited: { max: 5, seconds: 1, per: 'connection' } },
  }),
)
await app.listen({ port: 0, host: '127.0.0.1' })

const { gateway } = app.ackordGateway

function held(): Held {
  const { caps } = gateway
  const { connections, expected } = gateway.mountOf(live)
  return {
    upgrades: gateway.upgrades.size,
    handshakes: gateway.handshakes.size,
    sockets: gateway.sockets.size,
    connections: connections.size,
    users: connections.users,
    places: caps.connections.size,
    addresses: caps.connections.keys,
    anonymous: caps.anonymous.size,
    expected: expected.keys,
    http: gateway.http.size,
    authentications: caps.authentications.running + caps.authentications.waiting,
  }
}

process.on('message', (order: Order) => {
  if (order === 'look') say({ kind: 'held', held: held() })
  if (order === 'measure') {
    for (let i = 0; i < 4; i++) globalThis.gc?.()
    const { heapUsed, rss } = process.memoryUsage()
    const descriptors = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    say({ kind: 'measured', heap: heapUsed, rss, descriptors, held: held() })
  }
})
process.on('disconnect', () => process.exit())
say({ kind: 'listening', port: (app.server.address() as AddressInfo).port })
