/** Bytes: the client of such a contract imports the binary codec and uses it by itself. */
import { call, defineContract, event, room, Type } from '../../../contract/index.js'

const File = Type.Object(
  { name: Type.String(), data: Type.Uint8Array({ minByteLength: 1, maxByteLength: 1000 }) },
  { $id: 'File' },
)

export default defineContract({
  name: 'files',
  version: '1.0.0',
  calls: {
    put: call({
      input: File,
      ack: Type.Uint8Array(),
      errors: { KNOWN: Type.Object({ hash: Type.Uint8Array() }) },
    }),
    read: call({ input: Type.Object({ name: Type.String() }), item: Type.Uint8Array() }),
  },
  events: { sign: event({ payload: Type.Uint8Array(), ack: Type.Union([Type.Uint8Array(), Type.Null()]) }) },
  rooms: {
    folder: room({ params: Type.Object({ id: Type.String() }), events: { added: event({ payload: File }) } }),
  },
})
