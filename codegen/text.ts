/**
 * Text of a contract inside generated TypeScript. A contract may come from elsewhere, so nothing in it may end
 * a string or a comment, hide text from a reader, or direct the compiler.
 */

// Controls, bidirectional and other invisible marks (Trojan Source), U+2028, U+2029, halves of surrogate pairs.
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
// Where generated code is inlined in a page, these would end or open its script element.
const markup = /<(?=\/script|!--)/gi

const escapeHidden = (text: string): string =>
  text.replace(hidden, (mark) => {
    const hex = (mark.codePointAt(0) ?? 0).toString(16)
    return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`
  })

/** A single-quoted string literal, ASCII where that matters, equal to `value` when run. */
export function quote(value: string): string {
  const body = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${escapeHidden(body).replace(markup, '\\x3c')}'`
}

/** A name as a property of a type or literal: bare where it is an ASCII identifier, quoted otherwise. */
export function propertyKey(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name)
}

/** As `propertyKey`, in an object literal: there a plain `__proto__` would set the prototype. */
export function literalKey(name: string): string {
  return name === '__proto__' ? "['__proto__']" : propertyKey(name)
}

/** A JSDoc comment with these lines and its newline, or nothing where there is nothing to say. */
export function comment(lines: readonly string[]): string {
  const safe = lines.flatMap((line) => line.split(/\r\n|[\n\r\u2028\u2029]/)).map(commentLine)
  while (safe.at(-1) === '') safe.pop()
  while (safe[0] === '') safe.shift()
  if (safe.length === 0) return ''
  if (safe.length === 1) return `/** ${safe[0]} */\n`
  return `/**\n${safe.map((line) => (line === '' ? ' *' : ` * ${line}`)).join('\n')}\n */\n`
}

/** Shifts every line but empty ones by two spaces. Literals hold no newline, so only layout moves. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

function commentLine(line: string): string {
  return escapeHidden(line.replaceAll('\t', '  '))
    .replaceAll('*/', '*\\/')
    .replace(markup, '\\x3c')
    .replace(/@+(?=ts-)/g, '') // `@ts-expect-error` works in any comment
    .trimEnd()
}
