/** The command line: finds the command, answers --help and --version, turns failures into exit codes. */
import { createRequire } from 'node:module'
import { CliError } from './errors.js'
import { generate } from './generate.js'

/** What a command may touch of the process. */
export interface Io {
  readonly cwd: string
  /** For what was asked for. */
  readonly out: (text: string) => void
  /** For what went wrong. */
  readonly err: (text: string) => void
}

/** One command: a sibling file, and a line in `commands`. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly help: string
  /** Gets what follows its name; resolves to the exit code. Throws a CliError for what its user can mend. */
  readonly run: (args: string[], io: Io) => Promise<number>
}

const commands: readonly Command[] = [generate]

const help = `Usage: ackord <command> [options]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

Options:
  -h, --help     this text, or that of a command: ackord <command> --help
  -v, --version  the version of ackord
`

/** Runs a command line (without node and script). Never throws for its user's mistakes; resolves to the exit code. */
export async function run(args: string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    io.err(help)
    return 2
  }
  if (name === '--help' || name === '-h') {
    io.out(help)
    return 0
  }
  if (name === '--version' || name === '-v') {
    io.out(`${version()}\n`)
    return 0
  }
  const command = commands.find((each) => each.name === name)
  try {
    if (command === undefined) {
      const kind = name.startsWith('-') ? 'option' : 'command'
      throw new CliError(`There is no ${kind} '${name}'. See: ackord --help`, 2)
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      io.out(command.help)
      return 0
    }
    return await command.run(rest, io)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    io.err(`ackord: ${error.message}\n`)
    return error.exitCode
  }
}

function version(): string {
  const manifest: { version?: unknown } = createRequire(import.meta.url)('ackord/package.json')
  return String(manifest.version)
}
