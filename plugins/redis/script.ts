/** Lua scripts, sent by their digest. Their files are in lua/, each with a header: what it does, KEYS, ARGV, reply, bounds. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RedisValue } from './client.js'

/** A Lua script. It is loaded where a server does not know it yet: after a restart or a fail-over, say. */
export class Script {
  readonly source: string
  readonly digest: string

  constructor(source: string) {
    this.source = source
    this.digest = createHash('sha1').update(source).digest('hex')
  }

  /** Runs it with what sends commands. Rejects with the error of the client or of the script. */
  async run(send: SendCommand, keys: readonly string[], values: readonly RedisValue[]): Promise<unknown> {
    try {
      return await send('evalsha', [this.digest, keys.length, ...keys, ...values])
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return send('eval', [this.source, keys.length, ...keys, ...values])
    }
  }
}

/** Sends one command, such as `RedisConnection.call`. */
export type SendCommand = (command: string, args: RedisValue[]) => Promise<unknown>

const loaded = new Map<string, Script>()

/**
 * The script in lua/`name`.lua; read once. A line `-- include other` at its top stands for all of lua/other.lua. Throws where there is no
 * such file: at load, not at the first run.
 */
export function script(name: string): Script {
  let found = loaded.get(name)
  if (found === undefined) {
    found = new Script(read(name))
    loaded.set(name, found)
  }
  return found
}

const read = (name: string): string =>
  readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8').replace(
    /^-- include ([\w-]+)$/gm,
    (_line, included: string) => read(included),
  )
