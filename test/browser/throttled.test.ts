/**
 * Tabs that nobody looks at. Chromium fires the timers of such a tab once a minute at most, after five minutes, which no test waits for: here
 * the page's own timers are held back in the same proportion to a heartbeat of one second. `npm run throttled` waits for Chromium's own.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { eventually } from '../gateway/support.js'
import { contract, type ServerOptions, startServer } from '../support/server.js'
import { bundle } from './support/bundle.js'
import { findChromium, launch } from './support/chromium.js'

const HEARTBEAT = 1000
/** To a heartbeat of a second what a minute is to one of 25. */
const MINUTE = 2400

const executablePath = findChromium()

/** Before anything of the page runs: timers wait for the next "minute", and tell whether they did. */
const throttle = `
  const timers = new Map()
  let ids = 0
  let ticking = false
  window.minutes = 0
  window.fired = { inside: 0, elsewhere: 0 }
  window.setTimeout = (callback, ms = 0, ...rest) => {
    const run = () => {
      fired[ticking ? 'inside' : 'elsewhere']++
      callback(...rest)
    }
    timers.set(++ids, { due: performance.now() + ms, run })
    return ids
  }
  window.clearTimeout = (id) => timers.delete(id)
  setInterval(() => {
    minutes++
    ticking = true
    for (const [id, { due, run }] of timers) {
      if (due > performance.now()) continue
      timers.delete(id)
      run()
    }
    ticking = false
  }, ${MINUTE})
`

const page = `<!doctype html><title>tab</title><script type="module">
  import { createClient } from '/client.js'
  const descriptor = ${JSON.stringify({ version: '1.0.0', hash: contract.hash, calls: { echo: { delivery: 'attempt' } }, rooms: {} })}
  window.client = createClient(descriptor, '/v1/live', { token: () => 'ann' })
  window.states = []
  client.connection.subscribe(() => states.push(client.connection.get().state))
  client.connection.connect()
</script>`

describe.skipIf(executablePath === undefined)('a tab', () => {
  let browser: Browser
  let code: string
  beforeAll(async () => {
    code = await bundle('client/index.ts')
    browser = await launch(executablePath ?? '')
  }, 30_000)
  afterAll(() => browser?.close())

  async function open({
    throttled = false,
    ...options
  }: ServerOptions & { readonly throttled?: boolean } = {}) {
    const server = await startServer({
      ...options,
      heartbeat: HEARTBEAT,
      after: (app) => {
        app.get('/', (_request, reply) => reply.type('text/html').send(page))
        app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(code))
      },
    })
    const tab = await browser.newPage()
    if (throttled) await tab.addInitScript(throttle)
    await tab.goto(`http://127.0.0.1:${server.port}/`)
    await eventually(async () => expect(await read(tab, 'states.at(-1)')).toBe('open'))
    return { ...server, tab, accepted: () => server.gateway.counters.accepted }
  }

  it('whose timers, replaced by ours, fire once a minute stays connected, and answers', async () => {
    const { tab, accepted, live } = await open({ throttled: true })
    // Three heartbeats without an answer would have ended it.
    await vi.waitFor(async () => expect(await read(tab, 'minutes')).toBeGreaterThanOrEqual(4), 20_000)
    expect([accepted(), [...live.connections()].length]).toEqual([1, 1])
    expect(await read(tab, 'states')).toEqual(['connecting', 'open'])
    expect(await read(tab, `client.calls.echo({ text: 'hi' })`)).toEqual({ text: 'hi' })
    expect(await read(tab, 'fired')).toEqual({ inside: expect.any(Number), elsewhere: 0 })
    // The watchdog was held up again and again.
    expect(await read(tab, 'fired.inside')).toBeGreaterThan(1)
    await tab.close()
  }, 30_000)

  it('whose script hangs is given up by the server, and comes back by itself', async () => {
    const { tab, accepted, live, gateway } = await open()
    const hang = `setTimeout(() => { const end = performance.now() + ${4 * HEARTBEAT}; while (performance.now() < end); })`
    await tab.evaluate(`${hang}, 0`)
    await eventually(() => expect([...live.connections()]).toHaveLength(0))
    expect(gateway.counters.closes.read()).toEqual({ 4000: 1 })
    await eventually(() => expect([accepted(), [...live.connections()].length]).toEqual([2, 1]))
    expect(await read(tab, `client.calls.echo({ text: 'back' })`)).toEqual({ text: 'back' })
    await tab.close()
  }, 30_000)

  it('is served compressed where the server offers that, and understands it', async () => {
    const { tab, gateway, live } = await open({ compression: { threshold: 100 } })
    const text = 'again and '.repeat(90)
    expect(await read(tab, `client.calls.echo({ text: ${JSON.stringify(text)} })`)).toEqual({ text })
    const socket = `new WebSocket(location.origin.replace('http', 'ws') + '/v1/live', 'ackord.v1.json')`
    const extensions = `new Promise((resolve) => { const s = ${socket}; s.onopen = () => resolve(s.extensions) })`
    expect(await read(tab, extensions)).toContain('permessage-deflate')
    expect([gateway.counters.closes.read(), [...live.connections()].length]).toEqual([{}, 1])
    await tab.close()
  }, 30_000)
})

// A text, because the project's types know no document.
const read = (tab: Page, expression: string): Promise<unknown> => tab.evaluate(expression)
