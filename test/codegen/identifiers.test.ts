import { describe, expect, it } from 'vitest'
import { createNames, nameOfId, pascalCase } from '../../codegen/identifiers.js'

describe('pascalCase', () => {
  it.each([
    ['message.send', 'MessageSend'],
    ['a-b', 'AB'],
    ['class', 'Class'],
    ['délivrer', 'Délivrer'],
    ['de\u0301livrer', 'Délivrer'],
    ['1-leading', '_1Leading'],
    ['snake_case_name', 'SnakeCaseName'],
    ['camelCase', 'CamelCase'],
    ['URLPart', 'URLPart'],
    ['送信', '送信'],
    ['straße', 'Straße'],
    ['ßa', 'ßa'],
    ['\u019ba', '\u019ba'],
    ['\u0301a', 'A'],
    ['\u1c89a', 'A'],
    ['🚀', 'Unnamed'],
    ['𝒜', 'Unnamed'],
    ['', 'Unnamed'],
    ["x'; alert(1) //", 'XAlert1'],
    ['a\u200db', 'AB'],
    ['$', 'Unnamed'],
  ])('%j is %s', (given, want) => {
    expect(pascalCase(given)).toBe(want)
  })
})

describe('nameOfId', () => {
  it.each([
    ['Message', 'Message'],
    ['message', 'Message'],
    ['https://example.com/chat/message.schema.json', 'Message'],
    ['https://example.com/chat/message.json#', 'Message'],
    ['#/definitions/user-name', 'UserName'],
    ['/', 'Unnamed'],
  ])('%j is %s', (given, want) => {
    expect(nameOfId(given)).toBe(want)
  })
})

describe('names', () => {
  it('are numbered from 2 where they are taken', () => {
    const names = createNames(['Call'])
    expect(['A', 'A', 'A', 'Call', 'A2', 'B'].map(names.unique)).toEqual([
      'A',
      'A2',
      'A3',
      'Call2',
      'A22',
      'B',
    ])
  })

  it('move a base until all that is derived from it is free', () => {
    const names = createNames(['ChatRooms', 'createChat2'])
    const derive = (base: string) => [`${base}Rooms`, `create${base}`]
    expect(names.base('Chat', derive)).toBe('Chat3')
    expect(names.unique('Chat3Rooms')).toBe('Chat3Rooms2')
  })
})
