import { afterEach, describe, expect, it } from 'vitest'
import { ackord, type HookName } from '../../plugins/index.js'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { eventually, listen, makeApp, mountTiny, roundTrip } from './support.js'

afterEach(abortAll)

describe('an onDisconnect hook', () => {
  it('that throws or rejects is logged, and the others run', async () => {
    const ran: string[] = []
    const { enter, lines } = await startServer({
      after: (app) => {
        const { addHook } = app.ackordGateway
        addHook('onDisconnect', () => {
          throw new Error('thrown')
        })
        addHook('onDisconnect', async () => {
          await Promise.resolve()
          throw new Error('rejected')
        })
        addHook('onDisconnect', () => void ran.push('last'))
      },
    })
    const client = await enter('ann')
    client.abort()
    await eventually(() => {
      expect(lines.filter(({ level }) => level === 50)).toMatchObject([
        { err: { message: 'thrown' } },
        { err: { message: 'rejected' } },
      ])
    })
    expect(ran).toEqual(['last'])
  })
})

describe('addHook', () => {
  const serve = async () => {
    const { app } = makeApp()
    await app.register(ackord)
    await app.register(mountTiny(), { prefix: '/v1' })
    return app
  }
  const invalid = (detail: string) =>
    expect.objectContaining({ code: 'ACKORD_INVALID_HOOK', message: expect.stringContaining(detail) })

  it('refuses a name that no hook has, and what is no function', async () => {
    const { addHook } = (await serve()).ackordGateway
    const nothing = undefined as never
    expect(() => addHook('onMessage' as HookName, () => {})).toThrow(invalid('onMessage'))
    expect(() => addHook('toString' as HookName, () => {})).toThrow(invalid('toString'))
    expect(() => addHook('onConnect', nothing)).toThrow(invalid('onConnect'))
  })

  it('refuses once the app is ready', async () => {
    const app = await serve()
    app.ackordGateway.addHook('onConnect', () => {}, '/v1/live')
    await app.ready()
    expect(() => app.ackordGateway.addHook('onConnect', () => {})).toThrow(invalid('ready'))
  })

  it('for a set of paths runs for those that are in it when the namespaces are mounted', async () => {
    const { app } = makeApp()
    await app.register(ackord, { grace: 500 })
    const paths = new Set<string>()
    const called: string[] = []
    const { addHook } = app.ackordGateway
    // Before that of the gateway's own calls: what `onMount` puts in counts.
    addHook('onUpgrade', (_upgrade, { path }) => void called.push(path), paths)
    addHook('onMount', ({ path }) => void (path === '/v1/live' && paths.add(path)))
    await app.register(mountTiny(), { prefix: '/v1' })
    await app.register(mountTiny(), { prefix: '/v2' })
    const port = await listen(app)
    await roundTrip(`ws://127.0.0.1:${port}/v1/live`)
    await roundTrip(`ws://127.0.0.1:${port}/v2/live`)
    expect(called).toEqual(['/v1/live'])
  })

  it('for a path that no namespace has fails the start', async () => {
    const app = await serve()
    app.ackordGateway.addHook('onConnect', () => {}, '/live')
    await expect(app.ready()).rejects.toEqual(invalid('/live'))
  })
})
