/**
 * The string formats a contract may use without registering them. TypeBox checks a format only where one is
 * registered, and fails every value where none is. Each check is linear in the text's length.
 */
import { FormatRegistry } from '@sinclair/typebox'

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i
const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/
const OCTET = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/
const HEXTET = /^[0-9a-f]{1,4}$/i
const URI = /^[a-z][a-z0-9+.-]*:([\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+$/i

/** A day of the Gregorian calendar, such as `2026-02-28` (RFC 3339 full-date). */
function isDate(text: string): boolean {
  const [, year, month, day] = (DATE.exec(text) ?? []).map(Number)
  if (year === undefined || month === undefined || day === undefined) return false
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day >= 1 && day <= (DAYS[month - 1] ?? 0) + (leap ? 1 : 0)
}

/** A time of day with its offset, such as `23:59:60Z` (RFC 3339 full-time). */
const isTime = (text: string): boolean => TIME.test(text)

/** A date and a time with its offset, such as `2026-02-28T12:00:00.5+01:00` (RFC 3339 date-time). */
const isDateTime = (text: string): boolean =>
  /^[Tt ]$/.test(text.charAt(10)) && isDate(text.slice(0, 10)) && isTime(text.slice(11))

/** A host name (RFC 1123 § 2.1): labels of at most 63, 253 in all. */
const isHostname = (text: string): boolean =>
  text.length <= 253 && text.split('.').every((label) => LABEL.test(label))

/** A mailbox (RFC 5321 § 4.1.2) without quotes, comments or address literals. */
function isEmail(text: string): boolean {
  const sign = text.lastIndexOf('@')
  return sign > 0 && sign <= 64 && LOCAL_PART.test(text.slice(0, sign)) && isHostname(text.slice(sign + 1))
}

/** Four decimal octets (RFC 2673 § 3.2). */
function isIPv4(text: string): boolean {
  const octets = text.split('.')
  return octets.length === 4 && octets.every((octet) => OCTET.test(octet))
}

/** An IPv6 address (RFC 4291 § 2.2), without a zone. */
function isIPv6(text: string): boolean {
  if (text.length > 45) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const embedded = last.includes('.')
  if (embedded && (!isIPv4(last) || text.endsWith('::'))) return false
  const hextets = embedded ? groups.slice(0, -1) : groups
  const count = hextets.length + (embedded ? 2 : 0)
  return hextets.every((group) => HEXTET.test(group)) && (halves.length === 2 ? count <= 7 : count === 8)
}

/** The checks, by the name JSON Schema gives the format. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isDateTime,
  date: isDate,
  time: isTime,
  email: isEmail,
  uuid: (text) => UUID.test(text),
  uri: (text) => URI.test(text),
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: isIPv6,
}

/** Registers each format with TypeBox where the application has not registered one of that name. */
export function registerFormats(): void {
  for (const [name, check] of Object.entries(FORMATS)) {
    if (!FormatRegistry.Has(name)) FormatRegistry.Set(name, check)
  }
}
