/** Takes docs/chat.png and docs/chat-dark.png from the running example: `npm run picture`. */
import { fileURLToPath } from 'node:url'
import { findChromium, launch } from './support/chromium.js'
import { buildExample, startExample } from './support/example.js'
import { signIn } from './support/person.js'

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const executable = findChromium()
if (executable === undefined) process.exit(1)

await buildExample()
const server = await startExample()
const browser = await launch(executable)
try {
  const look = { deviceScaleFactor: 2, timezoneId: zoneWhereItIs(9) }
  const ada = await signIn(browser, server.url, 'Ada Lovelace', look)
  const grace = await signIn(browser, server.url, 'Grace Hopper')
  const tim = await signIn(browser, server.url, 'Tim')
  const talk = [
    [grace, 'Good morning. Did the nightly import run through?'],
    [ada, 'It did: 41,200 rows, none refused.'],
    [ada, 'The two customers from yesterday are in as well.'],
    [tim, 'Lovely. I will tell support, they have been asking since Monday.'],
    [
      grace,
      'One thing: the report counts refunds twice.\nThe query and three examples are in the ticket. Could one of you look before it goes to finance?',
    ],
    [ada, 'Found it. The join is on the order instead of the payment.'],
    [ada, 'Fix is in review.'],
    [grace, 'That was quick. Thank you!'],
  ] as const
  for (const [person, text] of talk) {
    await person.say(text)
    await ada
      .bubble(text.split('\n')[0] ?? text)
      .and(ada.page.locator('[data-standing=sent] *'))
      .waitFor()
  }
  await tim.page.getByRole('link', { name: 'random' }).click()
  await tim.say('Cake in the kitchen')
  await tim.say('It will not last')
  await ada.page.getByRole('link', { name: /2 unread/ }).waitFor()
  await tim.page.getByRole('link', { name: 'general' }).click()
  await tim.box.pressSequentially('The')
  await ada.page.getByText('Tim is typing').waitFor()
  for (const [colorScheme, file] of [
    ['light', 'chat.png'],
    ['dark', 'chat-dark.png'],
  ] as const) {
    await ada.page.emulateMedia({ colorScheme })
    await ada.page.screenshot({ path: `${docs}${file}`, animations: 'disabled' })
  }
} finally {
  await browser.close()
  await server.kill()
}

/** The picture says good morning, whenever it is taken. */
function zoneWhereItIs(hour: number): string {
  const offset = ((hour - new Date().getUTCHours() + 36) % 24) - 12
  // These names count westwards.
  return `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`
}
