/** The example's own server and generated client, joined in memory: what a team's tests of their API would look like. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClock, createNetwork } from 'ackord/testing'
import { expect, it, onTestFinished } from 'vitest'
import { createChat } from '../../examples/chat/page/chat.client.js'
import { buildApp } from '../../examples/chat/server/app.js'

async function start() {
  const page = mkdtempSync(join(tmpdir(), 'ackord-page-'))
  const clock = createClock({ wall: Date.now() })
  const app = await buildApp({ secret: 'test', page: pathToFileURL(`${page}/`), logLevel: 'silent', clock })
  const network = await createNetwork(app)
  onTestFinished(async () => {
    network.cut()
    await app.close()
    rmSync(page, { recursive: true })
  })
  const enter = (name: string) => {
    const token = async (): Promise<string> => {
      const { body } = await app.inject({ method: 'POST', url: '/sign-in', payload: { name } })
      return JSON.parse(body).token
    }
    const chat = createChat('ws://chat/chat', { token, WebSocket: network.WebSocket, clock })
    onTestFinished(() => chat.close())
    const heard: string[] = []
    const general = chat.rooms.channel({ channelId: 'general' })
    general.on('posted', ({ from, text }) => heard.push(`${from}: ${text}`))
    return { chat, general, heard }
  }
  return { clock, network, enter }
}

it('carries what two people say, and nothing twice', async () => {
  const { enter } = await start()
  const [ada, tim] = [enter('Ada'), enter('Tim')]
  expect(await ada.general.join()).toMatchObject({ ok: true })
  expect(await tim.general.join()).toMatchObject({ ok: true })
  await ada.chat.calls.message.send({ channelId: 'general', text: 'Hello Tim' })
  await tim.chat.calls.message.send({ channelId: 'general', text: 'Hello Ada' })
  await expect.poll(() => [ada.heard, tim.heard]).toEqual([['Tim: Hello Ada'], ['Ada: Hello Tim']])
})

it('queues what is said while the network is away; it arrives once, and what was missed is recovered', async () => {
  const { clock, network, enter } = await start()
  const [ada, tim] = [enter('Ada'), enter('Tim')]
  await Promise.all([ada.general.join(), tim.general.join()])
  network.cut()
  await network.settle()
  const sent = ada.chat.calls.message.send({ channelId: 'general', text: 'from the lift' })
  expect(ada.chat.outbox.size).toBe(1)
  await clock.advanceAsync(60_000)
  expect(ada.chat.connection.state).not.toBe('open')
  network.restore()
  await clock.advanceAsync(60_000)
  expect(await sent).toMatchObject({ at: expect.any(Number) })
  expect(ada.chat.outbox.size).toBe(0)
  expect([ada.heard, tim.heard]).toEqual([[], ['Ada: from the lift']])
})

it('answers too much from one person with a declared, typed error', async () => {
  const { enter } = await start()
  const { chat } = enter('Ada')
  const say = (text: string) => chat.calls.message.send.result({ channelId: 'random', text })
  const results = await Promise.all(Array.from({ length: 25 }, (_, i) => say(`${i}`)))
  expect(results.filter(({ ok }) => ok)).toHaveLength(20)
  const refused = results.find((result) => !result.ok)
  if (refused === undefined || refused.ok || refused.error.code !== 'SLOW_DOWN')
    throw new Error('not slowed down')
  expect(refused.error.data.seconds).toBeGreaterThan(0)
})
