/** A large contract: 500 calls. */
import { call, defineContract, Type } from '../../../contract/index.js'

const numbers = Array.from({ length: 500 }, (_, n) => n)

export default defineContract({
  name: 'many',
  version: '1.0.0',
  calls: Object.fromEntries(
    numbers.map((n) => [
      `group${n % 25}.call${n}`,
      call({
        description: `Does number ${n}.`,
        input: Type.Object({
          id: Type.String({ minLength: 1 }),
          kind: Type.Union([Type.Literal(`a${n}`), Type.Literal(`b${n}`)]),
          at: Type.Optional(Type.Integer()),
        }),
        ack: Type.Object({
          items: Type.Array(
            Type.Object({ id: Type.String(), amount: Type.Number(), tags: Type.Array(Type.String()) }),
          ),
          next: Type.Union([Type.String(), Type.Null()]),
        }),
        errors: {
          NOT_FOUND: Type.Object({ id: Type.String() }),
          LIMIT: Type.Object({ max: Type.Integer() }),
        },
        delivery: n % 2 === 0 ? 'repeat' : 'once',
      }),
    ]),
  ),
})
