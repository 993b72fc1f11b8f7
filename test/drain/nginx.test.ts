import { once } from 'node:events'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { ackord } from '../../plugins/index.js'
import { hello, listen, makeApp, mountTiny } from '../gateway/support.js'
import { startNginx } from '../support/nginx.js'
import { abortAll, connect, type RawClient, refused } from '../support/raw-client.js'
import { describeWithNginx } from './with-nginx.js'

afterEach(abortAll)

/** Two apps behind the example's nginx; each keeps the addresses that its upgrades came from. */
async function serve() {
  const apps = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const { app } = makeApp({ trustProxy: '127.0.0.1' })
      const ips: string[] = []
      await app.register(ackord)
      app.ackordGateway.addHook('onUpgrade', ({ ip }) => void ips.push(ip))
      await app.register(mountTiny())
      return { name, app, ips, port: await listen(app), gateway: app.ackordGateway.gateway }
    }),
  )
  const [a, b] = apps
  if (a === undefined || b === undefined) throw new Error('two')
  const nginx = await startNginx([a.port, b.port], { sticky: false })
  onTestFinished(() => nginx.stop())
  return { a, b, origin: `http://127.0.0.1:${nginx.port}`, url: `ws://127.0.0.1:${nginx.port}/live` }
}

const enter = async (url: string, session: string, features: readonly string[] = []): Promise<RawClient> => {
  const client = await connect(url)
  client.send(hello(session).with(4, features))
  await client.next(17)
  return client
}

describeWithNginx('examples/deploy/nginx.conf', () => {
  it('tells a process the address of its client, and not what the client claims', async () => {
    const { a, b, url } = await serve()
    const socket = new WebSocket(url, ['ackord.v1.json'], {
      localAddress: '127.0.0.77',
      headers: { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'evil.example' },
    })
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    expect([...a.ips, ...b.ips]).toEqual(['127.0.0.77'])
  })

  it('keeps the origin of a page that it serves itself, and passes a refusal on as it is', async () => {
    const { url, origin } = await serve()
    await connect(url, { headers: { origin } })
    const refusal = await refused(url, { headers: { origin: 'https://evil.example' } })
    expect([refusal.status, JSON.parse(refusal.body).code]).toEqual([403, 'ORIGIN_FORBIDDEN'])
    const answer = await fetch(`${origin}/live`)
    expect([answer.status, await answer.json()]).toMatchObject([426, { code: 'UPGRADE_REQUIRED' }])
  })

  it('takes every upgrade to the other process while one closes, and when it has', async () => {
    const { a, b, url } = await serve()
    const first = await enter(url, 'first', ['goaway'])
    const [closing, other] = a.gateway.sockets.size === 1 ? [a, b] : [b, a]
    const closed = closing.app.close()
    await first.next(28)
    for (let n = 0; n < 10; n++) await enter(url, `while${n}`)
    expect(other.gateway.sockets.size).toBe(10)
    expect(closing.gateway.counters.refused.read()).toHaveProperty('CLOSING')
    first.close(4004)
    await closed
    for (let n = 0; n < 10; n++) await enter(url, `after${n}`)
    expect(other.gateway.sockets.size).toBe(20)
  })
})
