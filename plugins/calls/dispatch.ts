/** Hop 3 of a message: look-up, hooks in their order, validate, handler, serialize the ack. PROTOCOL.md § Calls. */
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { FRAMES, type FrameOf } from '../../contract/wire/index.js'
import type { CallInfo, Connection, Hooks, Mount, Request } from '../gateway/index.js'
import { type CompiledCall, compileCalls } from './compile.js'
import { Context } from './context.js'
import { Deadlines, type Due } from './deadlines.js'
import { CallError, failureText, isPlain, refuseCall } from './errors.js'

type Invoke = (run: Run) => unknown

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/** Runs the calls of one namespace. */
export class Dispatcher {
  readonly #mount: Mount
  readonly #calls: ReadonlyMap<string, CompiledCall>
  readonly #invoke: Invoke
  readonly deadlines: Deadlines

  /** Compiles every call; throws where a handler is missing or a schema cannot be compiled. */
  constructor(mount: Mount) {
    this.#mount = mount
    this.#calls = compileCalls(mount)
    this.deadlines = new Deadlines(mount.clock)
    this.#invoke = compose(mount.gateway.hooks.of('onCall', mount.path), invokeHandler)
  }

  /** Handles CALL. */
  readonly onCall = (connection: Connection, frame: FrameOf<'CALL'>): void => {
    const [, seq, name, input, deadline, operation] = frame
    const call = this.#calls.get(name)
    const volatile = call?.volatile === true
    // No request waits under seq 0: what a volatile call comes to is never answered.
    const id = operation ? `${operation[0]}.${operation[1]}` : `${connection.id}.${seq}`
    const run = new Run(this, connection, volatile ? 0 : seq, call, input, id)
    if (!(volatile ? connection.beginUnanswered() : connection.begin(seq, run))) {
      if (!volatile) connection.writer.send(failureText(seq, refuseCall('OVERLOADED')))
      return
    }
    if (call === undefined) {
      run.reject(refuseCall('UNKNOWN_CALL'))
      return
    }
    try {
      const result = this.#invoke(run)
      if (isPromise(result)) run.await(result, deadline ?? Number.POSITIVE_INFINITY)
      else run.resolve(result)
    } catch (error) {
      run.reject(error)
    }
  }

  /** Handles CANCEL. */
  readonly onCancel = (connection: Connection, [, seq]: FrameOf<'CANCEL'>): void => {
    connection.request(seq)?.cancel()
  }

  get callTimeout(): number {
    return this.#mount.settings.callTimeout
  }
}

/** One call under way. */
class Run implements Request, Due, CallInfo {
  readonly connection: Connection
  readonly input: unknown
  readonly operationId: string
  readonly #dispatcher: Dispatcher
  readonly #seq: number
  readonly #call: CompiledCall | undefined
  #context: Context | undefined
  #running = true
  // With what it was answered before its handler was done, or its connection ended.
  #over: 'CANCELLED' | 'TIMEOUT' | undefined
  // The deadline: first the caller's, then the end of the time its handler may count as in flight.
  due = 0
  #end = 0

  constructor(
    dispatcher: Dispatcher,
    connection: Connection,
    seq: number,
    call: CompiledCall | undefined,
    input: unknown,
    operationId: string,
  ) {
    this.#dispatcher = dispatcher
    this.connection = connection
    this.#seq = seq
    this.#call = call
    this.input = input
    this.operationId = operationId
  }

  get mount(): Mount {
    return this.connection.mount
  }

  get name(): string {
    return this.#call?.name ?? ''
  }

  invoke(): unknown {
    const call = this.#call
    if (call === undefined) throw refuseCall('UNKNOWN_CALL')
    // A hook may have awaited until nobody wanted the call any more.
    if (this.#over !== undefined) throw refuseCall(this.#over)
    if (!call.input.check(this.input)) throw new CallError('INVALID_INPUT', call.input.explain(this.input))
    this.#context = new Context(this.connection, call, this.operationId)
    return call.handler(this.input, this.#context)
  }

  await(result: PromiseLike<unknown>, deadline: number): void {
    const now = this.mount.clock.now()
    this.#end = now + this.#dispatcher.callTimeout
    this.due = Math.min(now + deadline, this.#end)
    this.#dispatcher.deadlines.add(this)
    if (this.#seq === 0) unanswered(this.connection).add(this)
    result.then(
      (value) => this.resolve(value),
      (error: unknown) => this.reject(error),
    )
  }

  resolve(value: unknown): void {
    this.#finish()
    if (!this.connection.settle(this.#seq)) return
    let json = 'null'
    try {
      if (this.#call?.ack !== undefined) json = this.#call.ack(value)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.connection.writer.send(`[${FRAMES.ACK.type},${this.#seq},${json}]`)
  }

  reject(error: unknown): void {
    this.#finish()
    if (this.connection.settle(this.#seq)) this.#fail(error)
    else if (!(error instanceof CallError) && !isAbort(error)) this.report(error)
  }

  cancel(): void {
    this.#answerEarly('CANCELLED')
  }

  expire(): void {
    this.#answerEarly('TIMEOUT')
    // An answered call still counts as in flight while its handler runs, or CALL and CANCEL in turn would have no bound.
    if (this.due < this.#end) this.due = this.#end
    else this.#finish()
  }

  #answerEarly(code: 'CANCELLED' | 'TIMEOUT'): void {
    this.#over ??= code
    if (this.#context !== undefined) Context.abort(this.#context, code)
    if (this.connection.settle(this.#seq)) this.#send(refuseCall(code))
  }

  #finish(): void {
    if (!this.#running) return
    this.#running = false
    this.#dispatcher.deadlines.delete(this)
    if (this.#seq === 0) this.connection.slots.unanswered?.delete(this)
    this.connection.finish()
  }

  #fail(error: unknown): void {
    const declared = error instanceof CallError ? this.#call?.errors.get(error.code) : undefined
    try {
      if (error instanceof CallError && declared !== undefined) this.#send(error, declared(error.data))
      else if (error instanceof CallError && isPlain(error)) this.#send(error)
      else this.#send(new CallError('INTERNAL', { id: this.report(error) }))
    } catch (invalid) {
      this.#send(new CallError('INTERNAL', { id: this.report(invalid) }))
    }
  }

  #send(error: CallError, declared?: string): void {
    this.connection.writer.send(failureText(this.#seq, error, declared))
  }

  /** Logs what the client must not see, under an id that it may. Throws never, whatever was thrown. */
  report(error: unknown): string {
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

declare module '../gateway/connection.js' {
  interface ConnectionSlots {
    /** Calls under way that nothing answers. */
    unanswered?: Set<Request>
  }
}

const unanswered = ({ slots }: Connection): Set<Request> => {
  slots.unanswered ??= new Set()
  return slots.unanswered
}

/** Aborts the calls of a connection that ended which nothing answers; the others it ends itself. */
export function abortUnanswered({ slots }: Connection): void {
  for (const request of slots.unanswered ?? []) request.cancel()
}

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')

const invokeHandler: Invoke = (run) => run.invoke()

// Composed once: without hooks a call goes straight to its handler.
function compose(hooks: ReadonlyArray<Hooks['onCall']>, last: Invoke): Invoke {
  return hooks.reduceRight<Invoke>((next, hook) => (run) => hook(run, async () => next(run)), last)
}
