/**
 * `npm run costs -- [--json]`: what the operations of a room's log cost a Redis server, in its own CPU time, against a plain PUBLISH.
 * Cases take turns, so that a busy machine is busy for all of them; the figures are medians. docs/scaling.md quotes them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import type { Outgoing, RoomLog } from '../../plugins/rooms/broker.js'
import { encodeLive } from '../../plugins/rooms/redis/live.js'
import { liveChannel, RedisLog } from '../../plugins/rooms/redis/log.js'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })

const ROUNDS = 7
const PUBLICATIONS = 3200
/** What a recoverable publication may cost Redis, alone and in a turn of 16, as a multiple of PUBLISH. */
const SINGLE_GOAL = 4
const GROUPED_GOAL = 2
/** Operations under way at once. */
const PARALLEL = 16
const SUBSCRIBERS = 2
const TURN = 16
const ROOM = '/chat room:1'
const PAYLOAD = JSON.stringify({ text: 'x'.repeat(170), at: 1_700_000_000_000 })
const LOG: RoomLog = { history: { messages: 1000, seconds: 600, bytes: 1_048_576 } }

/** One thing that is measured: `act` is for `publications` of them. */
interface Case {
  readonly name: string
  readonly publications: number
  act(index: number): Promise<unknown>
}

async function startServer(): Promise<{ port: number; stop: () => Promise<void> }> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  probe.close()
  await once(probe, 'close')
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const chunk of child.stdout) if (String(chunk).includes('Ready to accept connections')) break
  return {
    port,
    stop: async () => {
      const exit = once(child, 'exit')
      child.kill()
      await exit
    },
  }
}

/** µs of CPU that the server has used. */
async function cpuOf(client: Redis): Promise<number> {
  const info = await client.info('cpu')
  const seconds = (name: string): number => Number(new RegExp(`used_cpu_${name}:([\\d.]+)`).exec(info)?.[1])
  return (seconds('user') + seconds('sys')) * 1e6
}

async function measure(client: Redis, { publications, act }: Case): Promise<number> {
  const operations = PUBLICATIONS / publications
  let next = 0
  const before = await cpuOf(client)
  const worker = async (): Promise<void> => {
    while (next < operations) await act(next++)
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return ((await cpuOf(client)) - before) / PUBLICATIONS
}

const outgoing = (delivery: Outgoing['delivery'], index: number): Outgoing => ({
  event: 'posted',
  delivery,
  payload: PAYLOAD,
  latestKey: delivery === 'latest' ? `key ${index % 100}` : undefined,
})
const turn = (delivery: Outgoing['delivery'], index: number): Outgoing[] =>
  Array.from({ length: TURN }, (_, at) => outgoing(delivery, index * TURN + at))

function casesOf(client: Redis): Case[] {
  const log = new RedisLog({
    prefix: 'costs',
    isCluster: false,
    run: (script, keys, given) => script.run((command, all) => client.call(command, all), keys, given),
  })
  const channel = liveChannel('costs', ROOM)
  const one = encodeLive(ROOM, [outgoing('volatile', 0)])
  const grouped = encodeLive(ROOM, turn('volatile', 0))
  const publish = (batch: readonly Outgoing[], index: number): Promise<unknown> =>
    log.publish(ROOM, LOG, batch, `nonce ${index}`)
  const withIds = (index: number): Outgoing[] =>
    turn('recoverable', index).map((each, at) => ({ ...each, id: `id ${Math.random()} ${at}` }))
  return [
    { name: 'PUBLISH, each', publications: 1, act: () => client.publish(channel, one) },
    { name: `volatile, ${TURN} a turn`, publications: TURN, act: () => client.publish(channel, grouped) },
    { name: 'recoverable, 1 a turn', publications: 1, act: (i) => publish([outgoing('recoverable', i)], i) },
    {
      name: `recoverable, ${TURN} a turn`,
      publications: TURN,
      act: (i) => publish(turn('recoverable', i), i),
    },
    { name: `recoverable with ids, ${TURN} a turn`, publications: TURN, act: (i) => publish(withIds(i), i) },
    { name: 'latest, 1 a turn', publications: 1, act: (i) => publish([outgoing('latest', i)], i) },
    { name: `latest, ${TURN} a turn`, publications: TURN, act: (i) => publish(turn('latest', i), i) },
    {
      name: 'read, 10 of the newest and 100 latest values',
      publications: 1,
      act: (i) => log.read(ROOM, LOG, { last: 10, session: 'reader' }, `nonce ${i}`),
    },
    { name: 'head', publications: 1, act: (i) => log.head(ROOM, LOG, `nonce ${i}`) },
  ]
}

const server = await startServer()
try {
  const client = new Redis(server.port, '127.0.0.1')
  const subscribers = Array.from({ length: SUBSCRIBERS }, () => new Redis(server.port, '127.0.0.1'))
  for (const each of subscribers) await each.subscribe(liveChannel('costs', ROOM))
  const cases = casesOf(client)
  const figures = new Map<string, number[]>(cases.map(({ name }) => [name, []]))
  // The first round fills the log, so that what is measured trims as well.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const each of cases) {
      const micros = await measure(client, each)
      if (round > 0) figures.get(each.name)?.push(micros)
    }
  }
  const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0
  const base = median(figures.get('PUBLISH, each') ?? [])
  const rows = [...figures].map(([name, list]) => ({
    name,
    micros: Math.round(median(list) * 10) / 10,
    ratio: Math.round((median(list) / base) * 100) / 100,
  }))
  const ratio = (name: string): number => rows.find((row) => row.name === name)?.ratio ?? Number.NaN
  const ok = ratio('recoverable, 1 a turn') <= SINGLE_GOAL && ratio('recoverable, 16 a turn') <= GROUPED_GOAL
  if (values.json) {
    const [, version] = /redis_version:(\S+)/.exec(await client.info('server')) ?? []
    console.log(JSON.stringify({ ok, redis: version, subscribers: SUBSCRIBERS, bytes: PAYLOAD.length, rows }))
  } else {
    console.table(rows)
    console.log(
      ok
        ? 'within its goals'
        : `beyond its goals: ${SINGLE_GOAL} × PUBLISH alone, ${GROUPED_GOAL} × in a turn of 16`,
    )
  }
  process.exitCode = ok ? 0 : 1
  for (const each of [client, ...subscribers]) each.disconnect()
} finally {
  await server.stop()
}
