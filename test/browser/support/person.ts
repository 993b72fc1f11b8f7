/** Somebody who uses the chat, in a browser profile of their own. */
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** One person's page, and what it shows. */
export interface Person {
  readonly page: Page
  /** Errors of the console and of scripts, except those of a connection that failed. */
  readonly problems: readonly string[]
  readonly box: Locator
  /** Writes and presses Enter. */
  say(text: string): Promise<void>
  /** The messages on screen, in order. */
  said(): Promise<string[]>
  /** A message on screen. */
  bubble(text: string): Locator
  status(): Promise<string | null>
  /** Who is here, with what is said of them. */
  people(): Promise<string[]>
  /** Hides the tab, or shows it again, as far as its page can tell. */
  hide(hidden: boolean): Promise<void>
  /** Pixels of the messages above and below what is in sight. */
  scrolled(): Promise<{ readonly above: number; readonly below: number }>
}

const CONNECTION_FAILED = /net::ERR_|WebSocket connection to/

/** Opens the page and signs in. */
export async function signIn(
  browser: Browser,
  url: string,
  name: string,
  options?: BrowserContextOptions,
): Promise<Person> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    ...options,
  })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !CONNECTION_FAILED.test(message.text())) problems.push(message.text())
  })
  await page.goto(url)
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Start talking' }).click()
  await page.getByText('Connected', { exact: true }).waitFor()

  const box = page.getByRole('textbox', { name: /^Message #/ })
  const bubbles = page.getByRole('log').getByRole('listitem').getByRole('paragraph')
  return {
    page,
    problems,
    box,
    async say(text) {
      await box.fill(text)
      await box.press('Enter')
    },
    said: () => bubbles.allTextContents(),
    bubble: (text) => bubbles.filter({ hasText: text }),
    status: () => page.locator('.status [role=status]').textContent(),
    async people() {
      const people = page.getByRole('region', { name: /^People/ }).getByRole('listitem')
      const parts = await people
        .all()
        .then((all) =>
          Promise.all(all.map((each) => each.locator('.person-name, .person-note').allTextContents())),
        )
      return parts.map((texts) => texts.filter(Boolean).join(', '))
    },
    hide: (hidden) =>
      page.evaluate(`(() => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, value: ${hidden} ? 'hidden' : 'visible' })
        document.dispatchEvent(new Event('visibilitychange'))
      })()`),
    // A text, because the project's types know no document.
    scrolled: () =>
      page.evaluate(`(() => {
        const { scrollTop, scrollHeight, clientHeight } = document.querySelector('[role=log]')
        return { above: scrollTop, below: scrollHeight - scrollTop - clientHeight }
      })()`),
  }
}
