import { afterEach, describe, expect, it } from 'vitest'
import { ackord, type HookName } from '../../plugins/index.js'
import { abortAll } from '../support/raw-client.js'
import { startServer } from '../support/server.js'
import { eventually, makeApp, mountTiny } from './support.js'

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

  it('for a path that no namespace has fails the start', async () => {
    const app = await serve()
    app.ackordGateway.addHook('onConnect', () => {}, '/live')
    await expect(app.ready()).rejects.toEqual(invalid('/live'))
  })
})
