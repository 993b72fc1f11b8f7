/** Names from a contract as TypeScript identifiers: allow-listed characters, unique, the same every time. */

// Old blocks only: Node and TypeScript follow different versions of Unicode, and the same contract must give the
// same file everywhere. Latin, Greek, Cyrillic, kana, Han and Hangul.
const allowed = /[0-9A-Za-z]|(?=[\u00c0-\u024f\u0370-\u04ff\u3041-\u30ff\u4e00-\u9fef\uac00-\ud7a3])\p{L}/u
const words = new RegExp(`(?:${allowed.source})+`, 'gu')

/**
 * A name in PascalCase: `message.send` → `MessageSend`, `a-b` → `AB`, `délivrer` → `Délivrer`, `1-leading` → `_1Leading`.
 * Everything but allow-listed letters and digits separates words; a name of nothing else becomes `Unnamed`.
 */
export function pascalCase(name: string): string {
  const joined = (name.normalize('NFC').match(words) ?? []).map(capital).join('')
  if (joined === '') return 'Unnamed'
  return /^\d/.test(joined) ? `_${joined}` : joined
}

function capital(word: string): string {
  const upper = word.charAt(0).toUpperCase()
  return (upper.length === 1 && allowed.test(upper) ? upper : word.charAt(0)) + word.slice(1)
}

/**
 * The type name for a schema's `$id`. Of a URI only the last segment counts, without `.json`:
 * `https://example.com/chat/message.schema.json` → `Message`.
 */
export function nameOfId(id: string): string {
  const last = id
    .replace(/[#/]+$/, '')
    .split(/[#/]/)
    .at(-1)
  return pascalCase((last ?? id).replace(/(\.schema)?\.json$/, ''))
}

/** Hands out identifiers of one file. */
export interface Names {
  /** `wanted`, or `wanted2`, `wanted3`, … where it is taken. */
  unique(wanted: string): string
  /** The first of `wanted`, `wanted2`, … for which none of the derived names is taken; takes these, not the base. */
  base(wanted: string, derive: (base: string) => readonly string[]): string
}

/** Names that start with these taken. */
export function createNames(reserved: Iterable<string>): Names {
  const taken = new Set(reserved)
  const base: Names['base'] = (wanted, derive) => {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted}${n}`
      const derived = derive(name)
      if (derived.some((each) => taken.has(each))) continue
      for (const each of derived) taken.add(each)
      return name
    }
  }
  return { base, unique: (wanted) => base(wanted, (name) => [name]) }
}
