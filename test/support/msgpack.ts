/** MessagePack by its specification, written for tests: no other implementation is asked. Integers and lengths in their shortest form. */

const head = (token: number, size: number, value: number): Buffer => {
  const bytes = Buffer.alloc(1 + size)
  bytes[0] = token
  if (size > 0 && size <= 6) bytes.writeUIntBE(value, 1, size)
  return bytes
}

/** The bytes of a value: what JSON holds, and bytes. */
export function msgpackOf(value: unknown): Buffer {
  if (value === null) return head(0xc0, 0, 0)
  if (typeof value === 'boolean') return head(value ? 0xc3 : 0xc2, 0, 0)
  if (typeof value === 'number') return number(value)
  if (typeof value === 'string') return text(value)
  if (value instanceof Uint8Array) {
    const { length } = value
    const size = length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 4
    return Buffer.concat([head(size === 1 ? 0xc4 : size === 2 ? 0xc5 : 0xc6, size, length), value])
  }
  if (Array.isArray(value)) return Buffer.concat([counted(value.length, 0x90, 0xdc), ...value.map(msgpackOf)])
  if (typeof value !== 'object') throw new TypeError(`no such value: ${String(value)}`)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Buffer.concat([counted(entries.length, 0x80, 0xde), ...entries.flat().map(msgpackOf)])
}

const counted = (length: number, short: number, long: number): Buffer => {
  if (length < 16) return head(short + length, 0, 0)
  return length < 0x1_0000 ? head(long, 2, length) : head(long + 1, 4, length)
}

function number(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
    if (value < 0x80) return head(value, 0, 0)
    const size = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : 4
    return head(size === 1 ? 0xcc : size === 2 ? 0xcd : 0xce, size, value)
  }
  if (Number.isInteger(value) && value < 0 && value >= -(2 ** 31)) {
    if (value >= -32) return head(0x100 + value, 0, 0)
    const size = value >= -0x80 ? 1 : value >= -0x8000 ? 2 : 4
    return head(size === 1 ? 0xd0 : size === 2 ? 0xd1 : 0xd2, size, value + 2 ** (8 * size))
  }
  const bytes = head(0xcb, 8, 0)
  bytes.writeDoubleBE(value, 1)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const { length } = bytes
  const size = length < 32 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 4
  const start =
    size === 0 ? head(0xa0 + length, 0, 0) : head(size === 1 ? 0xd9 : size === 2 ? 0xda : 0xdb, size, length)
  return Buffer.concat([start, bytes])
}
