import { afterEach, describe, expect, it } from 'vitest'
import { eventually, fill } from '../gateway/support.js'
import { abortAll, type RawClient, refused } from '../support/raw-client.js'
import { GRACE, serve } from './support.js'

afterEach(abortAll)

/** Waits for GOAWAY and the probe behind it, and answers that. */
async function takeGoaway(client: RawClient): Promise<readonly unknown[]> {
  const goaway = await client.next(28)
  expect(await client.next()).toEqual([26])
  client.send([10])
  // The server has read the answer when this is back.
  await client.ping()
  return goaway
}

/** Answers the second probe. */
async function answerProbe(client: RawClient): Promise<void> {
  await eventually(() => expect(client.frames.filter(([type]) => type === 26)).toHaveLength(2))
  client.send([10])
  await client.ping()
}

describe('a drain', () => {
  it('tells a client that knows GOAWAY to go, and ends as soon as it has gone', async () => {
    const server = await serve()
    const client = await server.enterWith(['goaway'])
    const { closed, isDone } = await server.close()
    expect(await client.next()).toEqual([28, 'restart', 4000])
    expect(await client.next()).toEqual([26])
    client.send([10])
    await server.pass(1000)
    expect(isDone()).toBe(false)
    client.close(4004)
    await closed
    expect(server.clock.now()).toBe(1000)
    expect(server.clock.pending).toBe(0)
  })

  it('answers what such a client sent before it went, and counts nothing against it', async () => {
    const server = await serve()
    const client = await server.enterWith(['goaway'])
    client.send([2, 1, 'wait', { name: 'w' }])
    await eventually(() => expect(server.probe.log).toEqual(['wait w']))
    const { closed } = await server.close()
    client.send([2, 2, 'echo', { text: 'crossed GOAWAY' }])
    await takeGoaway(client)
    expect(await client.next(18)).toEqual([18, 2, { text: 'crossed GOAWAY' }])
    await server.pass(1000)
    server.probe.release('w')
    expect(await client.next(18)).toEqual([18, 1, null])
    client.close(4004)
    await closed
    expect((await client.closed()).code).toBe(4004)
  })

  it('ends with 1012, when the time of the clients is over, a client that was told and stays', async () => {
    const server = await serve()
    const client = await server.enterWith(['goaway'])
    const { closed, isDone } = await server.close()
    await takeGoaway(client)
    await server.pass(0.8 * GRACE - 1)
    expect(isDone()).toBe(false)
    await server.pass(1)
    expect((await client.closed()).code).toBe(1012)
    await closed
  })

  it('sends GOAWAY only to clients that named it', async () => {
    const server = await serve()
    const client = await server.enterWith(['once', 'token'])
    await server.app.close()
    expect(await client.closed()).toEqual({ code: 1012, reason: 'server restarts' })
    expect(client.frames.map(([type]) => type)).toEqual([17])
    expect(server.clock.now()).toBe(0)
  })

  it('waits for no client that came back here, since there is no other node, once it cannot lose anything', async () => {
    const server = await serve()
    const [client, mute] = [await server.enterWith(['goaway']), await server.enterWith(['goaway'])]
    const { closed, isDone } = await server.close()
    await takeGoaway(client)
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await refused(server.url)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    await server.pass(200)
    expect(server.gateway.sockets.size).toBe(2)
    await server.pass(200)
    await answerProbe(client)
    await server.pass(200)
    expect((await client.closed()).code).toBe(1012)
    // It has not answered the probe: a call of it may be under way.
    expect(isDone()).toBe(false)
    mute.send([2, 1, 'echo', { text: 'late' }])
    expect(await mute.next(18)).toEqual([18, 1, { text: 'late' }])
    mute.send([10])
    await mute.ping()
    await server.pass(400)
    await answerProbe(mute)
    await server.pass(200)
    expect((await mute.closed()).code).toBe(1012)
    await closed
    expect(server.clock.now()).toBeLessThan(0.8 * GRACE)
  })

  it('does not take a BEAT that crossed GOAWAY for the answer to the probe behind it', async () => {
    const server = await serve()
    const client = await server.enterWith(['goaway'])
    // Its own probe: the server reads it behind GOAWAY.
    const { closed, isDone } = await server.close()
    client.send([10])
    await client.ping()
    await refused(server.url)
    for (let n = 0; n < 5; n++) await server.pass(200)
    expect(isDone()).toBe(false)
    client.send([2, 1, 'echo', { text: 'on its way' }])
    expect(await client.next(18)).toEqual([18, 1, { text: 'on its way' }])
    // By the protocol the first probe is the answer to its own, and only the second one wants one.
    expect(client.frames.filter(([type]) => type === 26)).toHaveLength(2)
    client.send([10])
    await client.ping()
    await server.pass(200)
    expect((await client.closed()).code).toBe(1012)
    await closed
  })

  it('does not take for told one whose probe did not fit behind GOAWAY', async () => {
    const server = await serve()
    const client = await server.enterWith(['goaway'])
    const [connection] = server.gateway.sockets
    // Room for GOAWAY, and not for BEAT.
    let asks = 0
    Object.defineProperty(connection, 'maxBuffered', { get: () => (asks++ === 0 ? 131_072 : 0) })
    const { closed, isDone } = await server.close()
    await refused(server.url)
    for (let n = 0; n < 5; n++) await server.pass(200)
    expect([connection?.phase, connection?.beats, isDone()]).toEqual(['open', 0, false])
    expect(asks).toBeGreaterThan(1)
    expect(await client.next(28)).toEqual([28, 'restart', 4000])
    expect(client.frames.some(([type]) => type === 26)).toBe(false)
    client.close(4004)
    await closed
  })

  it('does not take those for stranded that came back while others leave', async () => {
    const server = await serve()
    const clients = await Promise.all([1, 2, 3].map(() => server.enterWith(['goaway'])))
    const { closed } = await server.close()
    for (const client of clients) {
      await takeGoaway(client)
      await refused(server.url)
    }
    for (const client of clients) {
      await server.pass(200)
      client.close(4004)
      expect((await client.closed()).code).toBe(4004)
    }
    await closed
  })

  it('tells many in batches', async () => {
    const server = await serve()
    const clients = await Promise.all(
      Array.from({ length: 120 }, (_, n) => server.enterWith(['goaway'], `user${n}`)),
    )
    const told = () => clients.filter(({ frames }) => frames.some(([type]) => type === 28)).length
    const { closed } = await server.close()
    await eventually(() => expect(told()).toBe(50))
    await server.pass(99)
    expect(told()).toBe(50)
    await server.pass(1)
    await eventually(() => expect(told()).toBe(100))
    await server.pass(100)
    await eventually(() => expect(told()).toBe(120))
    for (const client of clients) client.close(4004)
    await closed
  })

  it('keeps those that are not told yet', async () => {
    const server = await serve()
    const clients = await Promise.all(Array.from({ length: 60 }, (_, n) => server.enterWith([], `user${n}`)))
    const { closed } = await server.close()
    await eventually(() => expect(server.gateway.sockets.size).toBe(10))
    const last = clients.at(-1)
    last?.send([2, 1, 'echo', { text: 'still here' }])
    expect(await last?.next(18)).toEqual([18, 1, { text: 'still here' }])
    await server.pass(100)
    await closed
    for (const client of clients) expect((await client.closed()).code).toBe(1012)
  })

  it('ends a client that is too slow for GOAWAY as one that does not know it', async () => {
    const server = await serve({ maxBuffered: 131_072 })
    const client = await server.enterWith(['goaway'])
    await client.ping()
    client.pause()
    const [connection] = server.gateway.sockets
    await fill(connection)
    const { closed } = await server.close()
    await server.pass(0)
    expect(connection?.phase).toBe('closed')
    client.resume()
    expect((await client.closed()).code).toBe(1012)
    await closed
    expect(client.frames.some(([type]) => type === 28)).toBe(false)
  })
})
