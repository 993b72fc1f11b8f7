import { afterEach, describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/clock.js'
import { connectBytes, upgradeRequest } from '../support/raw-bytes.js'
import { abortAll, connect } from '../support/raw-client.js'
import { hello, serveSlowly } from './slow-server.js'
import { eventually, socketsOf } from './support.js'

afterEach(abortAll)

describe('an upgrade whose authentication takes time', () => {
  const headers = { authorization: 'Bearer ann' }

  it('is opened in the end, and loses nothing that was sent meanwhile', async () => {
    const { url, asked, release, gateway } = await serveSlowly()
    const opening = connect(url, { headers })
    await asked(1)
    expect(gateway.upgrades.size).toBe(1)
    release()
    const client = await opening
    client.send(hello('s'))
    await client.next(17)
    expect(gateway.upgrades.size).toBe(0)
  })

  for (const reset of [true, false]) {
    it(`leaves nothing when its peer is gone meanwhile by a ${reset ? 'reset' : 'FIN'}`, async () => {
      const { app, url, asked, release, gateway, lines } = await serveSlowly()
      for (let n = 1; n <= 5; n++) {
        const socket = await connectBytes(url)
        socket.write(upgradeRequest(url, headers))
        await asked(n)
        if (reset) socket.socket.resetAndDestroy()
        else socket.destroy()
      }
      release()
      await eventually(async () => expect(await socketsOf(app)).toBe(0))
      await eventually(() => {
        expect([gateway.upgrades.size, gateway.sockets.size, gateway.handshakes.size]).toEqual([0, 0, 0])
      })
      expect((await app.inject('/nowhere')).statusCode).toBe(404)
      expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
    })
  }

  it('ends where it takes too long', async () => {
    const clock = createClock()
    const { app, url, asked, release, gateway, lines } = await serveSlowly({
      clock,
      handshakeTimeout: 2000,
    })
    const socket = await connectBytes(url)
    socket.write(upgradeRequest(url, headers))
    await asked(1)
    clock.advance(1999)
    expect(gateway.upgrades.size).toBe(1)
    clock.advance(1)
    expect(await socket.ended()).toHaveLength(0)
    await eventually(async () => expect(await socketsOf(app)).toBe(0))
    expect(gateway.upgrades.size).toBe(0)
    expect(lines.filter(({ level }) => Number(level) >= 40)).toMatchObject([
      { level: 40, msg: 'ackord: an upgrade was not decided in time' },
    ])
    release()
    // What the late answer leads to would be an unhandled rejection, or a second connection.
    await app.inject('/nowhere')
    expect([gateway.sockets.size, gateway.handshakes.size]).toEqual([0, 0])
  })
})
