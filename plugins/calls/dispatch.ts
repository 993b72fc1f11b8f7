/** Hop 3 of a message: look-up, hooks in their order, validate, handler, serialize the ack. PROTOCOL.md § Calls. */
import type { FrameOf } from '../../contract/wire/index.js'
import type { CallInfo, Connection, Hooks, Mount } from '../gateway/index.js'
import { CallRun } from './call-run.js'
import { type CompiledCall, compileCalls } from './compile.js'
import { Deadlines } from './deadlines.js'
import { failureText, refuseCall } from './errors.js'
import type { Run, RunHost } from './run.js'
import { isStream, StreamRun } from './stream-run.js'

type Invoke = (run: Run) => unknown

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/** Runs the calls of one namespace. */
export class Dispatcher implements RunHost {
  readonly #mount: Mount
  readonly #calls: ReadonlyMap<string, CompiledCall>
  readonly #invoke: Invoke
  readonly #onAnswer: ReadonlyArray<Hooks['onAnswer']>
  readonly deadlines: Deadlines

  /** Compiles every call; throws where a handler is missing or a schema cannot be compiled. */
  constructor(mount: Mount) {
    this.#mount = mount
    this.#calls = compileCalls(mount)
    this.deadlines = new Deadlines(mount.clock)
    this.#invoke = compose(mount.gateway.hooks.of('onCall', mount.path), invokeHandler)
    this.#onAnswer = mount.gateway.hooks.of('onAnswer', mount.path)
  }

  /** Handles CALL. */
  readonly onCall = (connection: Connection, frame: FrameOf<'CALL'>): void => {
    const [, seq, name, input, deadline, operation] = frame
    const call = this.#calls.get(name)
    const patience = deadline ?? Number.POSITIVE_INFINITY
    if (call !== undefined && isStream(call)) {
      const run = new StreamRun(this, connection, seq, call, input, `${connection.id}.${seq}`, patience)
      if (connection.requests.beginStream(seq, run)) this.#start(run, patience)
      else this.#overloaded(run, seq)
      return
    }
    const volatile = call?.volatile === true
    // No request waits under seq 0: what a volatile call comes to is never answered.
    const id = operation ? `${operation[0]}.${operation[1]}` : `${connection.id}.${seq}`
    const run = new CallRun(this, connection, volatile ? 0 : seq, call, input, id)
    if (!(volatile ? connection.requests.beginUnanswered() : connection.requests.begin(seq, run)))
      this.#overloaded(run, volatile ? 0 : seq)
    else this.#start(run, patience)
  }

  #start(run: Run, patience: number): void {
    try {
      const result = this.#invoke(run)
      if (isPromise(result)) run.await(result, patience)
      else run.resolve(result)
    } catch (error) {
      run.reject(error)
    }
  }

  #overloaded(run: Run, seq: number): void {
    if (seq !== 0) run.connection.sendText(failureText(seq, refuseCall('OVERLOADED')))
    run.answered('OVERLOADED')
  }

  /** Handles CANCEL. */
  readonly onCancel = (connection: Connection, [, seq]: FrameOf<'CANCEL'>): void => {
    connection.requests.get(seq)?.cancel()
  }

  /** Handles CREDIT. What is no stream, or no longer one, takes none: it may just have been answered. */
  readonly onCredit = (connection: Connection, [, seq, items]: FrameOf<'CREDIT'>): void => {
    const request = connection.requests.get(seq)
    if (request instanceof StreamRun) request.grant(items)
  }

  /** The clock's time where a hook wants to know how long calls take; otherwise it is not asked for. */
  now(): number {
    return this.#onAnswer.length === 0 ? 0 : this.#mount.clock.now()
  }

  /** Tells the hooks how a call ended; `since` is from `now`. */
  answered(call: CallInfo, code: string, since: number): void {
    if (this.#onAnswer.length === 0) return
    this.#mount.listeners.tell('onAnswer', this.#onAnswer, {
      call,
      code,
      ms: this.#mount.clock.now() - since,
    })
  }
}

const invokeHandler: Invoke = (run) => run.invoke()

// Composed once: without hooks a call goes straight to its handler.
function compose(hooks: ReadonlyArray<Hooks['onCall']>, last: Invoke): Invoke {
  return hooks.reduceRight<Invoke>((next, hook) => (run) => hook(run, async () => next(run)), last)
}
