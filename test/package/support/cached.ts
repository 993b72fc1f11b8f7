/** Directories that are costly to make and depend on nothing but what their key says. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const repository = fileURLToPath(new URL('../../..', import.meta.url))

/** Where directories of a kind lie: `inside` the checkout they find its node_modules, `outside` they find nothing. */
export const places = {
  inside: join(repository, 'node_modules', '.cache', 'ackord'),
  outside: join(tmpdir(), `ackord-tests-${userInfo().username}`),
} as const

const KEPT = 3

/**
 * The directory for a kind and key; `make` fills it where there is none yet. Shared by test files and runs: treat it as
 * read-only. A directory appears when it is complete; of each kind the newest three are kept.
 */
export async function cached(
  place: keyof typeof places,
  kind: string,
  key: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const root = places[place]
  const directory = join(root, `${kind}-${key}`)
  if (existsSync(directory)) return directory
  const draft = join(root, `${kind}-draft-${randomUUID()}`)
  await mkdir(draft, { recursive: true })
  try {
    await make(draft)
    await rename(draft, directory)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another test file may have made it meanwhile.
    if (!existsSync(directory)) throw error
  }
  await prune(root, kind)
  return directory
}

async function prune(root: string, kind: string): Promise<void> {
  const names = (await readdir(root)).filter((name) => name.startsWith(`${kind}-`))
  const dated = await Promise.all(
    names.map(async (name) => ({
      name,
      at: (await stat(join(root, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  )
  dated.sort((a, b) => b.at - a.at)
  for (const { name } of dated.slice(KEPT)) await rm(join(root, name), { recursive: true, force: true })
}
