/** Values as JSON would write them, with bytes kept: what the binary codec is given. */

const LONE_SURROGATE = /\p{Surrogate}/gu

/**
 * A copy of a value as `JSON.stringify` sees it: `toJSON` asked, what is undefined left out, what is no number null. Bytes stay
 * bytes, and half a surrogate pair, which UTF-8 cannot carry, becomes U+FFFD. Throws a TypeError for a BigInt or a cycle, as JSON
 * does, and a RangeError where it nests deeper than `depth`.
 */
export function plain(value: unknown, depth: number): unknown {
  try {
    return copyOf(value, depth, '') ?? null
  } catch (error) {
    // To JSON, a cycle is a TypeError.
    if (error instanceof RangeError) JSON.stringify(value)
    throw error
  }
}

function copyOf(value: unknown, depth: number, key: string): unknown {
  switch (typeof value) {
    case 'string':
      return wellFormed(value)
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'boolean':
      return value
    case 'bigint':
      throw new TypeError('a BigInt cannot be sent')
    case 'object':
      return value === null || value instanceof Uint8Array ? value : objectOf(value, depth, key)
    default:
      return undefined
  }
}

function objectOf(value: object, depth: number, key: string): unknown {
  if (depth === 0) throw new RangeError('nested too deep')
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const json: unknown = value.toJSON(key)
    return json === value ? membersOf(value, depth) : copyOf(json, depth, key)
  }
  return membersOf(value, depth)
}

function membersOf(value: object, depth: number): unknown {
  if (Array.isArray(value)) {
    return value.map((element: unknown, i) => copyOf(element, depth - 1, String(i)) ?? null)
  }
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return value.valueOf()
  const copy = new Map<string, unknown>()
  for (const [key, member] of Object.entries(value)) {
    const kept = copyOf(member, depth - 1, key)
    if (kept !== undefined) copy.set(wellFormed(key), kept)
  }
  return copy
}

const wellFormed = (text: string): string => text.replace(LONE_SURROGATE, '\ufffd')
