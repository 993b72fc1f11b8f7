/** A failure that its user can act on: printed as it stands, without a stack. */
export class CliError extends Error {
  /** 1: it could not be done, or `--check` found a difference. 2: the command line is wrong. */
  readonly exitCode: 1 | 2
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}
