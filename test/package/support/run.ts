/** Runs programs as a user does. */
import { execFile } from 'node:child_process'

/** What a program left behind. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, four minutes at most; a code other than 0 is an answer, not a failure. */
export function run(program: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { cwd, maxBuffer: 64 * 1024 * 1024, timeout: 240_000 }
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr })
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr })
      else reject(error)
    })
  })
}

/** Runs a JavaScript file with this Node. */
export const node = (args: readonly string[], cwd: string): Promise<Outcome> =>
  run(process.execPath, args, cwd)

/** As `run`, but throws with what was printed unless the code is 0. Resolves to the standard output. */
export async function succeed(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, cwd)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}
