import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import contract from '../../examples/chat/contract.js'
import { freePort } from '../support/nginx.js'
import { abortAll, connect } from '../support/raw-client.js'

afterEach(abortAll)

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** The example, against the sources; its lines of log, parsed, as they come. */
async function start() {
  const port = await freePort()
  const child: ChildProcess = spawn(
    process.execPath,
    [source('node_modules/jiti/lib/jiti-cli.mjs'), source('examples/chat/server/start.ts')],
    {
      env: {
        ...process.env,
        PORT: String(port),
        HOST: '127.0.0.1',
        LOG_LEVEL: 'info',
        JITI_ALIAS: JSON.stringify({
          'ackord/contract': source('contract/index.ts'),
          ackord: source('plugins/index.ts'),
        }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  const started = new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      output += chunk
      if (output.includes('The chat is at')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`the example ended with ${code}: ${output}`)))
  })
  await started
  const exit = once(child, 'close')
  const url = `http://127.0.0.1:${port}`
  return {
    stop: () => child.kill('SIGTERM'),
    /** The exit code, and what was logged. */
    async ended() {
      const [code] = await exit
      const lines = output.split('\n').filter((line) => line.startsWith('{'))
      return { code, log: lines.map((line) => String(JSON.parse(line).msg)) }
    },
    /** A client with WELCOME that knows GOAWAY. */
    async enter() {
      const signIn = await fetch(`${url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'Ada' }),
      })
      const { token } = (await signIn.json()) as { token: string }
      const client = await connect(`${url.replace('http', 'ws')}/chat`)
      client.send([1, 'session', contract.hash, '1.0.0', ['goaway'], token])
      await client.next(17)
      return client
    },
  }
}

it('the example says on SIGTERM that its clients have to go, and ends with 0 when they have gone', async () => {
  const example = await start()
  const client = await example.enter()
  example.stop()
  expect(await client.next()).toMatchObject([28, 'restart', expect.any(Number)])
  client.close(4004)
  const { code, log } = await example.ended()
  expect(code).toBe(0)
  expect(log.slice(-3)).toEqual([
    'closing',
    'ackord: the app closes, its connections are told to go',
    'ackord: all connections have ended',
  ])
}, 120_000)

it('the example ends at a second signal, with 1', async () => {
  const example = await start()
  const client = await example.enter()
  example.stop()
  await client.next(28)
  example.stop()
  const { code, log } = await example.ended()
  expect(code).toBe(1)
  // The last lines may be lost with the process; the end of an orderly close is none of them.
  expect(log).toContain('closing')
  expect(log).not.toContain('ackord: all connections have ended')
  expect((await client.closed()).code).toBe(1006)
}, 120_000)
