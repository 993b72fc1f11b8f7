/**
 * Chromium as its user has it. Playwright is of no use here: it turns the throttling off, and tells every page that it is in focus, so
 * that none is ever hidden. https://chromedevtools.github.io/devtools-protocol
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'

/** Milliseconds for one command, and for the browser to end. */
const PATIENCE = 20_000

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
]

/** A tab. */
export interface Tab {
  /** What an expression, or its promise, comes to. Rejects where it throws. */
  read(expression: string): Promise<unknown>
}

/** A running browser with one window. */
export interface Chromium {
  /** Opens a tab in front of the others, which are hidden from then on. */
  open(url: string): Promise<Tab>
  /** Ends it, and removes its profile. */
  end(): Promise<void>
}

/** Starts a Chromium with a new profile, with `flags` beside those it needs here. */
export async function startChromium(executable: string, flags: readonly string[]): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), 'ackord-chromium-'))
  const child = spawn(executable, [...FLAGS, `--user-data-dir=${profile}`, ...flags, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const [, , , into, outOf] = child.stdio
  if (!(into instanceof Writable && outOf instanceof Readable)) throw new Error('Chromium has no pipes')
  const send = createSender(into, outOf, gone)
  return {
    async open(url) {
      const targetId = textOf(await send('Target.createTarget', { url: 'about:blank' }), 'targetId')
      await send('Target.activateTarget', { targetId })
      const attached = await send('Target.attachToTarget', { targetId, flatten: true })
      const sessionId = textOf(attached, 'sessionId')
      // Answered once the page has taken the place of the blank one.
      await send('Page.navigate', { url }, sessionId)
      return {
        async read(expression) {
          const options = { expression, awaitPromise: true, returnByValue: true }
          const { result, exceptionDetails } = await send('Runtime.evaluate', options, sessionId)
          if (exceptionDetails !== undefined)
            throw new Error(`the page threw: ${JSON.stringify(exceptionDetails)}`)
          return typeof result === 'object' && result !== null && 'value' in result ? result.value : undefined
        },
      }
    },
    async end() {
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
      child.kill()
      await gone
      clearTimeout(timer)
      // Its helpers may still write for a moment.
      await rm(profile, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

type Values = Readonly<Record<string, unknown>>
type Send = (method: string, params: Values, sessionId?: string) => Promise<Values>

/** JSON behind JSON, each ended by a zero. */
function createSender(into: Writable, outOf: Readable, gone: Promise<void>): Send {
  let ids = 0
  let rest = ''
  const waiting = new Map<number, (answer: Values) => void>()
  outOf.setEncoding('utf8').on('data', (chunk: string) => {
    const messages = `${rest}${chunk}`.split('\0')
    rest = messages.pop() ?? ''
    for (const message of messages) {
      const answer: Values = JSON.parse(message)
      waiting.get(Number(answer.id))?.(answer)
    }
  })
  // A browser that is gone takes nothing any more; who waits is told by `gone`.
  into.on('error', () => {})
  return async (method, params, sessionId) => {
    const id = ++ids
    const answered = new Promise<Values>((resolve) => waiting.set(id, resolve))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`Chromium did not answer ${method}`)), PATIENCE)
    })
    const over = gone.then((): never => {
      throw new Error(`Chromium ended before it answered ${method}`)
    })
    into.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`)
    try {
      const { error, result } = await Promise.race([answered, late, over])
      if (error !== undefined) throw new Error(`Chromium refused ${method}: ${JSON.stringify(error)}`)
      return typeof result === 'object' && result !== null ? { ...result } : {}
    } finally {
      clearTimeout(timer)
      waiting.delete(id)
    }
  }
}

function textOf(values: Values, name: string): string {
  const value = values[name]
  if (typeof value !== 'string') throw new Error(`Chromium gave no ${name}`)
  return value
}
