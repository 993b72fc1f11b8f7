import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithRedis } from '../support/redis.js'
import { findChromium, launch } from './support/chromium.js'
import { buildExample, type Example, startExample, startExampleCluster } from './support/example.js'
import { type Person, signIn } from './support/person.js'

const executable = findChromium()
/** Milliseconds for what a person would wait for. */
const SOON = { timeout: 10_000 }
/** Milliseconds for a reconnect by itself, backoff included. */
const LATER = { timeout: 30_000 }

beforeAll(buildExample, 120_000)

describe.skipIf(executable === undefined)('the chat example in a browser', { timeout: 120_000 }, () => {
  let browser: Browser
  let server: Example
  let people: Person[] = []

  beforeAll(async () => {
    browser = await launch(executable ?? '')
  })
  afterEach(async () => {
    await Promise.all(people.map(({ page }) => page.context().close()))
    people = []
    await server.kill()
  })
  afterAll(() => browser?.close())

  async function open(...names: string[]): Promise<Person[]> {
    server = await startExample()
    people = await Promise.all(names.map((name) => signIn(browser, server.url, name)))
    return people
  }
  const expectSaid = (person: Person, texts: string[], within = SOON) =>
    expect.poll(() => person.said(), within).toEqual(texts)

  it('lets two people talk: both see each message once, and who types', async () => {
    const [ada, grace] = await open('Ada', 'Grace')
    if (!ada || !grace) throw new Error('nobody there')
    await ada.say('Good morning')
    await expectSaid(grace, ['Good morning'])

    await grace.box.pressSequentially('Hel')
    await ada.page.getByText('Grace is typing').waitFor()
    await grace.box.fill('')
    await grace.say('Hello Ada\nhow are you?')
    await expectSaid(ada, ['Good morning', 'Hello Ada\nhow are you?'])
    await expectSaid(grace, ['Good morning', 'Hello Ada\nhow are you?'])
    await ada.page.getByText('Grace is typing').waitFor({ state: 'detached' })

    await expect.poll(() => ada.page.locator('.group[data-mine]').count()).toBe(1)
    expect(await ada.page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true)
    expect([ada.problems, grace.problems]).toEqual([[], []])
  })

  it('marks other channels unread, and shows what was said there', async () => {
    const [ada, grace] = await open('Ada', 'Grace')
    if (!ada || !grace) throw new Error('nobody there')
    await grace.page.getByRole('link', { name: 'random' }).click()
    await grace.say('Anybody for lunch?')
    await grace.say('At one')
    const link = ada.page.getByRole('link', { name: /random.*2 unread messages/ })
    await link.click()
    await expectSaid(ada, ['Anybody for lunch?', 'At one'])
    await ada.page.getByRole('link', { name: 'random', exact: true }).waitFor()

    await ada.page.getByRole('button', { name: /^Topic: / }).click()
    await ada.page.getByRole('textbox', { name: 'Topic' }).fill('Lunch')
    await ada.page.keyboard.press('Enter')
    await grace.page.getByRole('button', { name: 'Topic: Lunch' }).waitFor()
    const [tim] = await Promise.all([signIn(browser, `${server.url}/#random`, 'Tim')])
    people.push(tim)
    await tim.page.getByRole('button', { name: 'Topic: Lunch' }).waitFor()
    await expectSaid(tim, ['Anybody for lunch?', 'At one'])
    expect([ada.problems, grace.problems, tim.problems]).toEqual([[], [], []])
  })

  it('keeps what is said while the server is dead, and says it once when it is back', async () => {
    const [ada, grace] = await open('Ada', 'Grace')
    if (!ada || !grace) throw new Error('nobody there')
    await ada.say('one')
    await grace.say('two')
    await expectSaid(ada, ['one', 'two'])
    await expectSaid(grace, ['one', 'two'])

    await server.kill()
    await expect.poll(() => ada.status(), SOON).not.toBe('Connected')
    await ada.say('three')
    await ada.say('not this one')
    await ada.say('four')
    await expectSaid(ada, ['one', 'two', 'three', 'not this one', 'four'])
    await expect.poll(() => ada.page.getByText('Waiting for connection').count()).toBe(3)
    await ada.page.getByRole('button', { name: 'Cancel' }).nth(1).click()
    await expectSaid(ada, ['one', 'two', 'three', 'four'])
    await expect.poll(() => ada.box.inputValue()).toBe('not this one')
    const waiting = await ada.bubble('four').boundingBox()

    server = await startExample(server.port)
    await grace.page.getByText('Connected', { exact: true }).waitFor(LATER)
    await ada.page.getByText('Connected', { exact: true }).waitFor(LATER)
    await expectSaid(grace, ['one', 'two', 'three', 'four'])
    await ada.page.getByText('Waiting for connection').first().waitFor({ state: 'detached' })
    await expectSaid(ada, ['one', 'two', 'three', 'four'])
    expect(await ada.bubble('four').boundingBox()).toEqual(waiting)

    // What a repeat or a wrong order would still bring comes before this.
    await grace.say('five')
    await ada.box.fill('')
    await ada.say('six')
    for (const person of [ada, grace]) {
      await expect
        .poll(async () => (await person.said()).toSorted().join(), SOON)
        .toBe('five,four,one,six,three,two')
      expect((await person.said()).slice(0, 4)).toEqual(['one', 'two', 'three', 'four'])
    }
    expect(await ada.said()).toEqual(await grace.said())
    expect([ada.problems, grace.problems]).toEqual([[], []])
  })

  it('says what the server refused, and keeps it for another try', async () => {
    const [ada, grace] = await open('Ada', 'Grace')
    if (!ada || !grace) throw new Error('nobody there')
    // Queued while the server is away, so that they arrive faster than anybody may talk.
    await server.kill()
    await expect.poll(() => ada.status(), SOON).not.toBe('Connected')
    const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`)
    for (const text of [...texts, 'one too many']) await ada.say(text)
    server = await startExample(server.port)
    await ada.page.getByRole('alert').getByText('Not sent. Slow down').waitFor(LATER)
    await expectSaid(grace, texts, LATER)
    await expectSaid(ada, [...texts, 'one too many'])

    // Refused until the slow mode is over; then it is said, once.
    const again = ada.page.getByRole('button', { name: 'Try again' })
    await expect
      .poll(async () => {
        if (await again.isVisible()) await again.click()
        return (await grace.said()).length
      }, LATER)
      .toBe(21)
    await again.waitFor({ state: 'detached' })
    await expectSaid(ada, [...texts, 'one too many'])
    await expectSaid(grace, [...texts, 'one too many'])
    expect([ada.problems, grace.problems]).toEqual([[], []])
  })

  it('comes back to the same person and channel after a reload', async () => {
    const [ada] = await open('Ada')
    if (!ada) throw new Error('nobody there')
    await ada.page.getByRole('link', { name: 'support' }).click()
    await ada.say('Is there anybody?')
    await ada.page.reload()
    await expectSaid(ada, ['Is there anybody?'])
    expect(await ada.page.locator('.group[data-mine]').count()).toBe(1)
    expect(ada.problems).toEqual([])
  })

  it('stays where the reader scrolled to, and says how many messages came', async () => {
    const [ada, grace] = await open('Ada', 'Grace')
    if (!ada || !grace) throw new Error('nobody there')
    for (let i = 0; i < 16; i++) await grace.say(`line ${i}\nand a second one`)
    await ada.bubble('line 15').waitFor()
    await expect.poll(async () => (await ada.scrolled()).below).toBeLessThan(2)

    await ada.page.getByRole('log').hover()
    await ada.page.mouse.wheel(0, -300)
    await ada.page.getByRole('button', { name: 'To the newest' }).waitFor()
    await expect.poll(async () => (await ada.scrolled()).below).toBe(300)
    const { above } = await ada.scrolled()
    await grace.say('look here')
    const pill = ada.page.getByRole('button', { name: '1 new message' })
    await pill.waitFor()
    expect((await ada.scrolled()).above).toBe(above)
    await pill.click()
    await expect.poll(async () => (await ada.scrolled()).below).toBeLessThan(2)
    await pill.waitFor({ state: 'detached' })
    expect([ada.problems, grace.problems]).toEqual([[], []])
  })
})

describeWithRedis('the chat example on two nodes', { timeout: 120_000 }, () => {
  async function start() {
    const cluster = await startExampleCluster()
    onTestFinished(async () => {
      await cluster.stop()
    })
    const [one, other] = cluster.urls
    if (!one || !other) throw new Error(`no two addresses\n${cluster.output()}`)
    return { ...cluster, one, other }
  }

  it.skipIf(executable === undefined)(
    'shows who is here and what they say, whichever node they are on',
    async () => {
      const { one, other } = await start()
      const browser = await launch(executable ?? '')
      onTestFinished(() => browser.close())
      const ada = await signIn(browser, one, 'Ada')
      await ada.say('Anybody?')
      const grace = await signIn(browser, other, 'Grace')
      await expect.poll(() => ada.people(), SOON).toEqual(['Ada, you', 'Grace'])
      await expect.poll(() => grace.people(), SOON).toEqual(['Grace, you', 'Ada'])

      await expect.poll(() => grace.said(), SOON).toEqual(['Anybody?'])
      await grace.box.pressSequentially('Hel')
      await ada.page.getByText('Grace is typing').waitFor()
      await grace.say('Hello Ada')
      for (const person of [ada, grace])
        await expect.poll(() => person.said(), SOON).toEqual(['Anybody?', 'Hello Ada'])

      await grace.hide(true)
      await expect.poll(() => ada.people(), SOON).toEqual(['Ada, you', 'Grace, away'])
      await grace.hide(false)
      await expect.poll(() => ada.people(), SOON).toEqual(['Ada, you', 'Grace'])
      await grace.page.context().close()
      await expect.poll(() => ada.people(), SOON).toEqual(['Ada, you'])
      expect([ada.problems, grace.problems]).toEqual([[], []])
    },
  )

  it('ends all of it on SIGTERM: both nodes, and the Redis it started', async () => {
    const { one, other, stop, output } = await start()
    for (const url of [one, other]) expect((await fetch(url)).status).toBe(200)
    expect(await stop()).toBe(0)
    for (const url of [one, other]) await expect(fetch(url)).rejects.toThrow()
    expect(output()).not.toMatch(/ended/)
  })
})

it('the chat example on two nodes says what to install where there is no Redis', async () => {
  const { urls, output, stop } = await startExampleCluster({ PATH: '', REDIS_URL: '' })
  expect({ code: await stop(), urls }).toEqual({ code: 1, urls: [] })
  expect(output()).toMatch(/apt install redis-server[\s\S]*REDIS_URL=redis/)
})
