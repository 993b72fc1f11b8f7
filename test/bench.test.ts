import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hasRedis } from './support/redis.js'

const bench = fileURLToPath(new URL('./bench/bench.mjs', import.meta.url))
const lyingPeer = fileURLToPath(new URL('./bench/fixtures/lying-peer.mjs', import.meta.url))

/** One short round: whether it works, not how fast anything is. */
async function run(...args: string[]): Promise<{ code: number | null; last: unknown; progress: string }> {
  const child = spawn(process.execPath, [bench, ...args, '--rounds', '1', '--seconds', '0.1', '--json'])
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [code, output, progress] = await Promise.all([exit, text(child.stdout), text(child.stderr)])
  const lines = output.trimEnd().split('\n')
  expect(lines, progress).toHaveLength(1)
  return { code, last: JSON.parse(lines[0] ?? ''), progress }
}

const number = expect.any(Number)
const spread = { median: number, low: number, high: number }
const row = (scenario: string, peer: string) => ({
  scenario,
  peer,
  cpu: spread,
  rounds: { server: [number], cpu: [number], rate: [number], p99: [number] },
  ratio: spread,
  rate: spread,
  p50: spread,
  p99: spread,
  messages: number,
  checked: number,
  generator: spread,
  others: spread,
})
const target = (name: string, goal: number, against: string) => ({
  name,
  goal,
  value: number,
  against,
  ok: expect.any(Boolean),
})

// Building the package and starting processes may take longer than a test otherwise should.
describe('the bench', { timeout: 120_000 }, () => {
  it('measures calls and prints one line of JSON in which every answer was checked', async () => {
    const { code, last } = await run('rpc', '--against', 'raw-ws', '--connections', '3')
    expect(last).toEqual({
      bench: 'rpc',
      ok: expect.any(Boolean),
      why: expect.any(Array),
      unit: expect.any(String),
      rounds: 1,
      connections: 3,
      pinned: expect.any(Boolean),
      rows: ['window 1', 'window 16'].flatMap((scenario) => [
        row(scenario, 'raw-ws'),
        row(scenario, 'ackord'),
      ]),
      targets: [target('rpc window 1', 1, 'raw-ws'), target('rpc window 16', 0.5, 'raw-ws')],
    })
    expectChecked(last, code)
  })

  it('measures fan-out: every member gets every publication once and in order', async () => {
    const { code, last } = await run('fanout', '--against', 'send-loop', '--connections', '5')
    expect(last).toMatchObject({
      bench: 'fanout',
      connections: 5,
      rows: ['single', 'burst of 16'].flatMap((scenario) => [
        row(scenario, 'send-loop'),
        row(scenario, 'ackord'),
      ]),
      targets: [target('fanout single', 0.8, 'send-loop'), target('fanout burst of 16', 0.1, 'send-loop')],
    })
    expectChecked(last, code)
  })

  it.runIf(hasRedis)(
    'measures two nodes and Redis: what one publishes every receiver at the other gets',
    async () => {
      const { code, last, progress } = await run(
        'redis',
        '--against',
        'ackord-recoverable',
        '--connections',
        '2',
      )
      const { rows, ok, targets } = last as Relayed
      expect(code, progress).toBe(ok ? 0 : 1)
      expect(rows.map(({ scenario, peer }) => `${scenario}, ${peer}`)).toEqual(
        ['32 in flight', '1,000/s', 'single', 'burst of 16'].flatMap((scenario) =>
          ['redis-adapter', 'ackord-recoverable', 'ackord'].map((peer) => `${scenario}, ${peer}`),
        ),
      )
      for (const { messages, checked, parts } of rows) {
        expect(messages).toBeGreaterThan(0)
        expect(checked).toBe(2 * messages)
        expect(parts).toEqual({ a: spread, b: spread, redis: spread })
      }
      expect(targets.map(({ goal, atLeast = false, against }) => [goal, atLeast, against])).toEqual([
        [0.25, false, 'redis-adapter'],
        [4, true, 'redis-adapter'],
        [0.75, false, 'redis-adapter'],
        [10, false, 'ms'],
      ])
    },
  )

  it('ends with the answer that is wrong', async () => {
    const { code, last } = await run('rpc', '--against', lyingPeer, '--connections', '3')
    expect(code).toBe(1)
    expect(last).toMatchObject({ ok: false, rows: [], targets: [] })
    expect(last).toHaveProperty(
      'why.0',
      expect.stringMatching(/lying-peer.*not the answer of \d+: .*quick brown cat/),
    )
  })

  it('ends with the publication that comes twice', async () => {
    const { code, last } = await run('fanout', '--against', lyingPeer, '--connections', '3')
    expect(code).toBe(1)
    expect(last).toHaveProperty(
      'why.0',
      expect.stringMatching(/lying-peer.*publication \d+ where \d+ is next/),
    )
  })

  it('says which peer there is not', async () => {
    const { code, last } = await run('rpc', '--against', 'framed')
    expect(code).toBe(1)
    expect(last).toMatchObject({ ok: false, why: ['framed is no peer of rpc'], rows: [] })
  })

  it('refuses a command line that makes no sense', async () => {
    const child = spawn(process.execPath, [bench, 'rpc', '--rounds', '0'])
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const [code, output, progress] = await Promise.all([exit, text(child.stdout), text(child.stderr)])
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(progress).toContain('--rounds is 1 to 1000, not 0')
  })
})

interface Relayed {
  readonly ok: boolean
  readonly rows: Array<{ scenario: string; peer: string; messages: number; checked: number; parts: unknown }>
  readonly targets: Array<{ goal: number; atLeast?: boolean; against: string }>
}

/** All messages were checked, and the exit code says what the result says. */
function expectChecked(last: unknown, code: number | null): void {
  const { ok, rows } = last as { ok: boolean; rows: Array<{ messages: number; checked: number }> }
  expect(code).toBe(ok ? 0 : 1)
  for (const { messages, checked } of rows) {
    expect(messages).toBeGreaterThan(0)
    expect(checked).toBe(messages)
  }
}
