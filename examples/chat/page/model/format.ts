/** Texts made of values, in the reader's language where that is a date. */

const time = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })

/** Hours and minutes. */
export const formatTime = (at: number): string => time.format(at)

/** 'Today', 'Yesterday', or the date. */
export function formatDay(at: number, now = new Date()): string {
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  const key = new Date(at).toDateString()
  if (key === now.toDateString()) return 'Today'
  return key === yesterday.toDateString() ? 'Yesterday' : day.format(at)
}

/** The first letters of the first and the last word, at most two. */
export function initials(name: string): string {
  const words = name.split(/\s+/)
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map(
    (word) => [...(word ?? '')][0] ?? '',
  )
  return letters.join('').toLocaleUpperCase()
}

/** A hue (0–359) that belongs to a name, of twelve that are told apart. */
export function hueOf(name: string): number {
  let hash = 0
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return (hash % 12) * 30
}

/** '1 message', '2 messages'. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`
