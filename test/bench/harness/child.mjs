/** Commands from the bench to a process of its own, over the IPC channel: one asked, one answered. */
import { fork, spawnSync } from 'node:child_process'

const STOP_MS = 3000

/**
 * Whether processes can be held on a core: otherwise the scheduler puts a server and its only client on the same one,
 * now and then, and the figures jump.
 */
export const CAN_PIN = ['0', '1'].every((core) => spawnSync('taskset', ['-c', core, 'true']).status === 0)

/** A process that answers commands. */
export class Child {
  #process
  #name
  #exited = false
  /** @type {{ resolve: (value: unknown) => void, reject: (error: Error) => void } | undefined} */
  #waiting

  /**
   * @param {string} name for messages
   * @param {URL} file calls `answerCommands`
   * @param {number} core to hold it on, where that is possible
   */
  constructor(name, file, core) {
    this.#name = name
    this.#process = fork(file, [], {
      ...(CAN_PIN && { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] }),
      env: { ...process.env, NODE_ENV: 'production' },
      // The bench's own stdout is for its result alone.
      stdio: ['ignore', process.stderr.fd, process.stderr.fd, 'ipc'],
    })
    this.#process.on('message', (message) => {
      const { value, error } = /** @type {{ value?: unknown, error?: string }} */ (message)
      if (error === undefined) this.#waiting?.resolve(value)
      else this.#waiting?.reject(new Error(`${this.#name}: ${error}`))
    })
    this.#process.on('exit', (code, signal) => {
      this.#exited = true
      this.#waiting?.reject(new Error(`${this.#name} ended by itself: ${signal ?? code}`))
    })
    this.#process.on('error', (error) => this.#waiting?.reject(error))
  }

  /**
   * Sends a command and waits for its answer; rejects with the command's error, or after `ms`.
   * @template T
   * @param {string} command
   * @param {object} [options]
   * @param {number} [ms]
   * @returns {Promise<T>}
   */
  async ask(command, options = {}, ms = 20_000) {
    if (this.#exited) throw new Error(`${this.#name} is gone`)
    if (this.#waiting !== undefined) throw new Error(`${this.#name} is busy`)
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    try {
      const value = await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject }
        timer = setTimeout(() => reject(new Error(`${this.#name}: no answer to ${command} in ${ms} ms`)), ms)
        this.#process.send({ command, options })
      })
      return /** @type {T} */ (value)
    } finally {
      clearTimeout(timer)
      this.#waiting = undefined
    }
  }

  /** Ends the process: by closing its channel, and after 3 s by its id. */
  async stop() {
    if (this.#exited) return
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS)
    await new Promise((resolve) => {
      this.#process.once('exit', resolve)
      if (this.#process.connected) this.#process.disconnect()
    })
    clearTimeout(timer)
  }
}

/**
 * The other side: answers each command by the function of its name. The process ends with its channel.
 * @param {Record<string, (options: never) => unknown>} commands
 */
export function answerCommands(commands) {
  process.on('disconnect', () => process.exit())
  process.on('message', async (message) => {
    const { command, options } = /** @type {{ command: string, options: never }} */ (message)
    try {
      const value = await commands[command]?.(options)
      process.send?.({ value })
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.message : String(error) })
    }
  })
}
