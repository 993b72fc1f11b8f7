import { describe, expect, it } from 'vitest'
import { measureLeaks } from './leaks.js'

describe('a server', () => {
  // The long run is `npm run leaks`.
  it('keeps nothing of 1,000 upgrades that mute peers had refused, and of 1,000 connections that were dropped', {
    timeout: 240_000,
  }, async () => {
    const { problems, reasons, before, after } = await measureLeaks(1000, () => {})
    expect(problems).toEqual([])
    expect(after.held).toEqual(before.held)
    expect(Object.keys(reasons).sort()).toEqual([
      'BODY',
      'FULL',
      'HTTP_418',
      'NOT_FOUND',
      'ORIGIN_FORBIDDEN',
      'SUBPROTOCOL',
      'TOO_MANY_CONNECTIONS',
      'UNAUTHORIZED',
      'WEBSOCKET_KEY',
      'WEBSOCKET_VERSION',
      'unrefused',
    ])
  })
})
