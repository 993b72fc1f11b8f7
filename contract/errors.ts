/** A contract is wrong. The message names the place and what to do about it. */
export class ContractError extends Error {
  /** For programs: always `ACKORD_CONTRACT`. */
  readonly code = 'ACKORD_CONTRACT'
  /** The path of the offending key, such as `calls["message.send"].input.properties.at`. */
  readonly path: string
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`)
    this.name = 'ContractError'
    this.path = path
  }
}
