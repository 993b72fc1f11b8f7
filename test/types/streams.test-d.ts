import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import {
  type CallFailure,
  type Client,
  createClient,
  type Failure,
  type Result,
  type Stream,
  type StreamCall,
  stream,
} from '../../dist/client/index.js'
import { call, defineContract, Type } from '../../dist/contract/index.js'
import { namespace } from '../../dist/plugins/index.js'

const contract = defineContract({
  name: 'files',
  version: '1.0.0',
  calls: {
    import: call({
      input: Type.Object({ url: Type.String() }),
      item: Type.Object({ percent: Type.Integer() }),
      ack: Type.Object({ rows: Type.Integer() }),
      errors: { NOT_A_TABLE: Type.Object({ line: Type.Integer() }) },
    }),
    follow: call({ input: Type.Null(), item: Type.String() }),
    plain: call({ input: Type.Null(), ack: Type.String() }),
  },
})

// The server: an async generator that yields items and returns the ack.
const live = namespace(contract, { path: '/files', authenticate: 'none' })
live.calls({
  import: async function* ({ url }, { fail, signal }) {
    expectType<string>(url)
    expectType<AbortSignal>(signal)
    if (signal.aborted) fail('NOT_A_TABLE', { line: 1 })
    expectError(fail('UNDECLARED', null))
    expectError(fail('NOT_A_TABLE', { line: 'x' }))
    yield { percent: 1 }
    return { rows: 1 }
  },
  follow: async function* () {
    yield 'a'
  },
  plain: async () => 'a',
})
expectError(
  live.calls({
    import: async function* () {
      yield { percent: 'x' }
      return { rows: 1 }
    },
  }),
)
expectError(
  live.calls({
    import: async function* () {
      yield { percent: 1 }
      return { rows: 'x' }
    },
  }),
)
expectError(
  live.calls({
    import: async function* () {
      yield { percent: 1 }
    },
  }),
)
expectError(live.calls({ import: async () => ({ rows: 1 }) }))
expectError(
  live.calls({
    follow: function* () {
      yield 'a'
    },
  }),
)
expectError(
  live.calls({
    plain: async function* () {
      yield 'a'
      return 'a'
    },
  }),
)

// The client, as the generator prints it.
interface FilesCalls {
  readonly import: StreamCall<
    { url: string },
    { percent: number },
    { rows: number },
    { readonly NOT_A_TABLE: { line: number } }
  >
  readonly follow: StreamCall<null, string, void>
}
const descriptor = {
  version: '1.0.0',
  hash: '0123456789abcdef',
  calls: {
    import: { delivery: 'attempt', stream },
    follow: { delivery: 'attempt', stream },
  },
  rooms: {},
} as const
const files: Client<FilesCalls, object, object> = createClient<FilesCalls, object, object>(
  descriptor,
  'wss://example.com/files',
)

const importing = files.calls.import({ url: '' }, { signal: new AbortController().signal, timeout: 1000 })
export async function read(): Promise<void> {
  for await (const item of importing) expectType<{ percent: number }>(item)
}
const result = await importing.result()
expectType<Result<{ rows: number }, { readonly NOT_A_TABLE: { line: number } }>>(result)
if (result.ok) expectType<number>(result.value.rows)
else {
  expectAssignable<CallFailure<{ readonly NOT_A_TABLE: { line: number } }>>(result.error)
  if (result.error.code === 'NOT_A_TABLE') expectType<number>(result.error.data.line)
  if (result.error.code === 'CONNECTION_LOST') expectType<null>(result.error.data)
  expectNotAssignable<Failure<'UNDECLARED', null>>(result.error)
}

const items = files.calls.import({ url: '' })[Symbol.asyncIterator]()
const step = await items.next()
if (step.done) expectType<{ rows: number }>(step.value)
else expectType<{ percent: number }>(step.value)

expectType<Stream<string, void>>(files.calls.follow(null))
expectAssignable<AsyncIterable<string>>(files.calls.follow(null))
expectError(files.calls.import({}))
expectError(files.calls.import({ url: '' }, { ttl: 1 }))
expectError(files.calls.import.result({ url: '' }))
expectError(files.calls.import({ url: '' }).then())
expectError(files.calls.import({ url: '' }).next())
