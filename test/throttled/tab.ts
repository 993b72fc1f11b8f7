/** A tab that Chromium itself throttles to one wake-up a minute, with a client in it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { printClient } from '../../codegen/print-client.js'
import { ackord, namespace } from '../../plugins/index.js'
import { bundle } from '../browser/support/bundle.js'
import { contract } from '../leaks/contract.js'
import { type Chromium, startChromium, type Tab } from './chromium.js'
import { JOINED, page, SEEN, type Seen } from './page.js'
import { type Found, figuresOf, HEARTBEAT, isThrottled } from './verdict.js'

/** Milliseconds between two looks at the page. */
const LOOK = 10_000
/** Milliseconds beyond the grace period until the throttling has to show: a minute it may take to begin, and one to last. */
const LATE = 180_000
/** Milliseconds for the event at the end to arrive. */
const SOON = 10_000
/** Seconds that Chromium leaves a hidden tab alone, unless told otherwise. */
export const GRACE = 300

/** How the tab is watched. */
export interface TabSettings {
  /** Where Chromium is. */
  readonly executable: string
  /** Seconds after which a hidden tab is throttled; GRACE is Chromium's own, with no flag of ours. */
  readonly grace: number
  /** Seconds to keep it throttled. */
  readonly keep: number
  readonly progress: (line: string) => void
}

/** Opens the tab, hides it, waits until it is throttled, keeps it so, and uses its connection at the end. */
export async function watchTab(settings: TabSettings): Promise<Found> {
  const { executable, grace } = settings
  const flag = `--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/${grace}`
  const server = await startServer()
  try {
    const chromium = await startChromium(executable, grace === GRACE ? [] : [flag])
    try {
      return await watch(server, chromium, settings)
    } finally {
      await chromium.end()
    }
  } finally {
    await server.close()
  }
}

async function watch(
  server: Server,
  chromium: Chromium,
  { grace, keep, progress }: TabSettings,
): Promise<Found> {
  const { sessions, ends } = server
  const tab = await chromium.open(server.url)
  if ((await tab.read(JOINED)) !== true) throw new Error('the page did not join its room')
  await chromium.open('about:blank')
  progress('the tab is hidden')
  const look = async (): Promise<Seen> => {
    const seen = await readSeen(tab)
    const { visibility, now, hiddenAt, ticks, received } = seen
    progress(
      `${seconds(now - hiddenAt)} ${visibility.at(-1)}, last tick ${seconds(now - (ticks.at(-1) ?? 0))} ago; ` +
        `${received} BEATs, ${sessions.length} connection(s), ${ends.length} closed`,
    )
    return seen
  }
  const before = await until(look, isThrottled, grace * 1000 + LATE)
  if (isThrottled(before)) await until(look, () => false, keep * 1000)

  await server.publish('are you there?')
  await until(
    () => readSeen(tab),
    ({ said }) => said.length > 0,
    SOON,
  )
  const answer = await tab.read(`client.calls.echo({ text: 'here' }).then(({ text }) => text, String)`)
  const after = await readSeen(tab)
  // Copied: the end of the server is no part of it.
  return figuresOf({ before, after, answer, keep, sessions: [...sessions], ends: [...ends] })
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`

// Safe: page.ts declares the one and makes the other.
const readSeen = async (tab: Tab): Promise<Seen> => (await tab.read(SEEN)) as Seen

/** Looks until it is so, or for so many ms; gives what it saw last. */
async function until<T>(look: () => Promise<T>, isSo: (seen: T) => boolean, within: number): Promise<T> {
  const end = performance.now() + within
  for (;;) {
    const seen = await look()
    const left = end - performance.now()
    if (isSo(seen) || left <= 0) return seen
    await sleep(Math.min(LOOK, left))
  }
}

type Server = Awaited<ReturnType<typeof startServer>>

/** A server with the options that everybody has, which notes who comes and goes. */
async function startServer() {
  const directory = await mkdtemp(join(tmpdir(), 'ackord-client-'))
  const file = join(directory, 'long.client.ts')
  await writeFile(file, printClient(contract))
  const code = await bundle(file).finally(() => rm(directory, { recursive: true }))

  const app = Fastify({ forceCloseConnections: true })
  await app.register(ackord, { grace: 1000, heartbeat: HEARTBEAT })
  const sessions: string[] = []
  const ends: number[] = []
  app.ackordGateway.addHook('onConnect', ({ session }) => {
    sessions.push(session)
  })
  app.ackordGateway.addHook('onDisconnect', (_connection, { code }) => {
    ends.push(code)
  })
  const live = namespace(contract, { path: '/live', authenticate: 'none' })
  await app.register(
    live.plugin({ calls: { echo: (input) => input }, rooms: { hall: { join: () => true } } }),
  )
  app.get('/', (_request, reply) => reply.type('text/html').send(page))
  app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(code))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`,
    sessions,
    ends,
    publish: (text: string) => app.ackord(live).room.hall({}).publish('said', { text }),
    close: () => app.close(),
  }
}
