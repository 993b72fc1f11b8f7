/** A Chromium that is installed on this machine. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Where it is; undefined where there is none. With CI=true that is an error: there these tests must run. */
export function findChromium(): string | undefined {
  const path = PLACES.find((place) => place !== undefined && existsSync(place))
  if (path !== undefined) return path
  const problem = `no Chromium found (${PLACES.filter(Boolean).join(', ')}): install one, or set CHROMIUM_PATH`
  if (process.env.CI === 'true') throw new Error(problem)
  console.warn(`\n  Browser tests are SKIPPED: ${problem}\n`)
  return undefined
}

/** Starts it without a window. */
export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
