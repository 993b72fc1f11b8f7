import { describe, expect, it } from 'vitest'
import { APP_LIMITS, type Limit, SETTING_LIMITS } from '../../plugins/gateway/options.js'
import { type AckordOptions, ackord, namespace } from '../../plugins/index.js'
import { makeApp, mountTiny, tiny } from './support.js'

describe('options', () => {
  const bounds: Readonly<Record<string, Limit>> = { ...SETTING_LIMITS, ...APP_LIMITS }

  const start = async (options: AckordOptions): Promise<unknown> => {
    const { app } = makeApp()
    try {
      await app.register(ackord, options)
      await app.register(mountTiny())
      await app.ready()
    } catch (error) {
      return error
    }
    return 'started'
  }

  it('are taken at their bounds and refused beyond, by name', async () => {
    for (const [name, [, least, most]] of Object.entries(bounds)) {
      for (const value of [least, most])
        expect([name, await start({ [name]: value })]).toEqual([name, 'started'])
      for (const value of [least - 1, most + 1, least + 0.5, Number.NaN, '1000', null]) {
        expect(await start({ [name]: value })).toMatchObject({
          code: 'ACKORD_INVALID_OPTION',
          message: expect.stringContaining(name),
        })
      }
    }
  })

  it('of the app are checked where it is registered, also without a namespace', async () => {
    const { app } = makeApp()
    await expect(async () => app.register(ackord, { heartbeat: 1 })).rejects.toMatchObject({
      code: 'ACKORD_INVALID_OPTION',
    })
  })

  it('that nobody knows are refused by name, but not those of Fastify itself', async () => {
    expect(await start({ heartBeat: 25_000 } as AckordOptions)).toMatchObject({
      code: 'ACKORD_INVALID_OPTION',
      message: expect.stringContaining('heartBeat'),
    })
    const ofFastify = { prefix: '/v1', logLevel: 'warn', logSerializers: {} }
    expect(await start(ofFastify as AckordOptions)).toBe('started')
  })

  it('of a namespace are refused by name where they are unknown or of the wrong kind', () => {
    const wrong = {
      inflight: 1,
      grace: 1000,
      path: 7,
      authenticate: 'None',
      data: {},
    }
    for (const [name, value] of Object.entries(wrong)) {
      const options = { path: '/live', authenticate: 'none', [name]: value } as never
      expect(() => namespace(tiny, options)).toThrow(
        expect.objectContaining({
          code: 'ACKORD_INVALID_OPTION',
          message: expect.stringContaining(`(${name}:`),
        }),
      )
    }
    expect(() => namespace(tiny, undefined as never)).toThrow('path')
  })

  it('name origins as browsers send them, or the app does not start', async () => {
    const wrong = [
      'https://app.example.com/',
      'https://app.example.com/path',
      'https://app.example.com:443',
      'HTTPS://app.example.com',
      'app.example.com',
      '*',
      'null',
      '',
    ]
    for (const origin of wrong) {
      expect(await start({ allowedOrigins: [origin] })).toMatchObject({
        code: 'ACKORD_INVALID_OPTION',
        message: expect.stringContaining(JSON.stringify(origin)),
      })
    }
  })
})
