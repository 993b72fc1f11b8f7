/** Tests that need the machine's nginx. */
import { describe } from 'vitest'
import { hasNginx } from '../support/nginx.js'

/** `describe` of what needs nginx: missing, it is skipped with a word; on CI (`CI=true`) it fails. */
export const describeWithNginx: typeof describe | typeof describe.skip = (() => {
  if (hasNginx) return describe
  if (process.env.CI === 'true') throw new Error('nginx is missing, and on CI nothing is skipped')
  console.warn('SKIPPED: the tests that need nginx, which is not installed')
  return describe.skip
})()
