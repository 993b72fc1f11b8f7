/** Names and texts that try to leave the place where they are printed, or to take another's. */
import { call, defineContract, event, room, Type } from '../../../contract/index.js'

const texts = [
  '*/ export const pwned = 1 /*',
  "' + process.exit(1) + '",
  `\${process.exit(1)}\``,
  'lines\n// @ts-expect-error\r\nand\u2028more\u2029',
  '</script><script>alert(1)</script><!--',
  'bidi \u202e and \u2066, invisible \u200b, null \u0000, half \ud800',
  '@ts-ignore',
]
const description = texts.join('\n')

const names = [
  ...[
    'a-b',
    'délivrer',
    'class',
    '1-leading',
    'constructor',
    'toString',
    'new',
    'get',
    'readonly',
    'on',
    '送信',
    '🚀',
  ],
  ...[
    "it's",
    '"quoted"',
    '`back`',
    `\${x}`,
    '*/',
    '//',
    '</script>',
    '\\',
    'a b',
    '\u202ereversed',
    '\u2028',
    '$',
    '_',
  ],
]
const input = Type.Object({ a: Type.String() })

export default defineContract({
  name: 'call',
  version: "1.0.0 */ ' \u202e",
  description,
  calls: {
    ...Object.fromEntries(names.map((name) => [name, call({ input })])),
    ...Object.fromEntries(names.slice(0, 8).map((name) => [`group.${name}.${name}`, call({ input })])),
    // All of these would be called `SameNameInput`.
    'same.name': call({ description, input }),
    same_name: call({ input }),
    sameName: call({ input }),
    literals: call({
      input: Type.Object(
        Object.fromEntries(
          texts.map((text) => [text, Type.Literal(text, { description: text, default: text })]),
        ),
      ),
      ack: Type.Union(texts.map((text) => Type.Literal(text))),
      errors: { TOO_BAD: Type.String({ description, pattern: `\\*/${'`'}`, examples: ['*/'] }) },
    }),
    ids: call({
      input: Type.Object({
        a: Type.Object({ x: Type.Null() }, { $id: 'Call' }),
        b: Type.Object({ x: Type.Null() }, { $id: 'Promise' }),
        c: Type.Object({ x: Type.Null() }, { $id: 'Record' }),
        d: Type.Object({ x: Type.Null() }, { $id: 'string' }),
        e: Type.Object({ x: Type.Null() }, { $id: "*/ '; alert(1)" }),
        f: Type.Object({ x: Type.Null() }, { $id: 'SameNameInput' }),
        g: Type.Object({ x: Type.Null() }, { $id: 'https://example.com/schemas/call.json' }),
        h: Type.Object({ x: Type.Null() }, { $id: 'Call2Rooms' }),
        i: Type.Object({ x: Type.Null() }, { $id: 'createClient' }),
      }),
    }),
  },
  events: Object.fromEntries(names.map((name) => [name, event({ payload: input })])),
  rooms: Object.fromEntries(
    ['constructor', 'a-b', "it's", '*/'].map((name) => [
      name,
      room({
        description,
        params: input,
        events: Object.fromEntries(names.slice(8).map((each) => [each, event({ payload: Type.Null() })])),
      }),
    ]),
  ),
})
