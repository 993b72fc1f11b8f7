/** A call under way: what its handler is run with, and how its answer leaves. PROTOCOL.md § Calls. */
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { FRAMES } from '../../contract/wire/index.js'
import type { CallInfo, Connection, Mount, Pack, Request } from '../gateway/index.js'
import type { CompiledCall } from './compile.js'
import { Context } from './context.js'
import type { Deadlines, Due } from './deadlines.js'
import { CallError, failureText, isPlain, refuseCall } from './errors.js'

/** Why a call is answered before its handler is done. */
export type Early = 'CANCELLED' | 'TIMEOUT'

/** What calls need of their dispatcher. */
export interface RunHost {
  readonly deadlines: Deadlines
  /** The clock's time where a hook wants to know how long calls take; otherwise it is not asked for. */
  now(): number
  /** Tells the hooks how a call ended; `since` is from `now`. */
  answered(call: CallInfo, code: string, since: number): void
}

/** What calls with one answer and streams have in common. */
export abstract class Run implements Request, Due, CallInfo {
  readonly connection: Connection
  readonly input: unknown
  readonly operationId: string
  /** The clock's time at which `expire` is due. */
  due = 0
  protected readonly host: RunHost
  /** 0 where nothing answers it. */
  protected readonly seq: number
  /** With what it was answered before its handler was done, or its connection ended. */
  protected over: Early | undefined
  readonly #call: CompiledCall | undefined
  readonly #since: number
  #context: Context | undefined
  #answered = false

  constructor(
    host: RunHost,
    connection: Connection,
    seq: number,
    call: CompiledCall | undefined,
    input: unknown,
    operationId: string,
  ) {
    this.host = host
    this.connection = connection
    this.seq = seq
    this.#call = call
    this.input = input
    this.operationId = operationId
    this.#since = host.now()
  }

  get mount(): Mount {
    return this.connection.mount
  }

  get name(): string {
    return this.#call?.name ?? ''
  }

  /** The hooks, or the handler, take their time: at most until `deadline`, in ms, and the namespace's own bound. */
  abstract await(result: PromiseLike<unknown>, deadline: number): void
  /** The hooks and the handler have returned. */
  abstract resolve(value: unknown): void
  /** A hook or the handler threw. */
  abstract reject(error: unknown): void
  abstract cancel(): void
  abstract expire(): void

  /** Calls the handler. Throws what refuses it. */
  invoke(): unknown {
    const call = this.#call
    if (call === undefined) throw refuseCall('UNKNOWN_CALL')
    // A hook may have awaited until nobody wanted the call any more.
    if (this.over !== undefined) throw refuseCall(this.over)
    const input = call.input(this.input, this.connection.codec.binary)
    this.#context = new Context(this.connection, call, this.operationId)
    return call.handler(input, this.#context)
  }

  /** Answers before the handler is done, unless the answer had left; its signal aborts. */
  protected answerEarly(code: Early): void {
    this.over ??= code
    if (this.#context !== undefined) Context.abort(this.#context, code)
    if (this.connection.requests.settle(this.seq, this)) this.#sendFailure(refuseCall(code))
    else this.answered(this.connection.phase === 'closed' ? 'CONNECTION_LOST' : code)
  }

  /** Answers with a value, unless it was answered. */
  protected acknowledge(value: unknown): void {
    if (this.connection.requests.settle(this.seq, this)) this.#sendValue(value)
    else this.answered('OK')
  }

  /** Answers with an error, unless it was answered: what was thrown then is logged, but for an abort that was asked for. */
  protected fail(error: unknown): void {
    if (this.connection.requests.settle(this.seq, this)) {
      this.#sendError(error)
      return
    }
    this.answered(error instanceof CallError ? error.code : 'INTERNAL')
    if (!(error instanceof CallError) && !isAbort(error)) this.report(error)
  }

  /** How the call ended; what it is told later does not count. */
  answered(code: string): void {
    if (this.#answered) return
    this.#answered = true
    this.host.answered(this, code, this.#since)
  }

  #sendValue(value: unknown): void {
    let json = 'null'
    try {
      if (this.#call?.ack !== undefined) json = this.#call.ack(value)
    } catch (error) {
      this.#sendError(error)
      return
    }
    this.connection.sendText(`[${FRAMES.ACK.type},${this.seq},${json}]`, this.#call?.ack?.pack)
    this.answered('OK')
  }

  // What the client may not see is logged instead.
  #sendError(error: unknown): void {
    const declared = error instanceof CallError ? this.#call?.errors.get(error.code) : undefined
    try {
      if (error instanceof CallError && declared !== undefined)
        this.#sendFailure(error, declared(error.data), declared.pack)
      else if (error instanceof CallError && isPlain(error)) this.#sendFailure(error)
      else this.#sendFailure(new CallError('INTERNAL', { id: this.report(error) }))
    } catch (invalid) {
      this.#sendFailure(new CallError('INTERNAL', { id: this.report(invalid) }))
    }
  }

  #sendFailure(error: CallError, declared?: string, pack?: Pack): void {
    this.connection.sendText(failureText(this.seq, error, declared), pack)
    this.answered(error.code)
  }

  /** Logs what the client must not see, under an id that it may. Throws never, whatever was thrown. */
  protected report(error: unknown): string {
    const id = randomUUID()
    const { connection, mount } = this
    const about = { id, call: this.name, connection: connection.id, user: connection.user.id }
    try {
      mount.log.error({ ...about, err: asError(error) }, 'ackord: a call failed')
    } catch (unprintable) {
      mount.log.error({ ...about, err: unprintable }, 'ackord: a call failed with what cannot be logged')
    }
    return id
  }
}

const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(`not an Error: ${inspect(thrown, { depth: 1 })}`)

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
