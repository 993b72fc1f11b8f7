/** A result as a table for people. */
import { bound, factor } from './suite.mjs'

/** @import { Result } from './suite.mjs' */
/** @import { Spread } from './statistics.mjs' */

/**
 * @param {Result} result
 * @returns {string}
 */
export function report(result) {
  const head = [
    '',
    'µs/message',
    'low–high',
    'ratio',
    'low–high',
    'messages/s',
    'p50 ms',
    'p99 ms',
    'generator',
    'others',
  ]
  const parts = Object.keys(result.rows[0]?.parts ?? {})
  head.splice(1, 0, ...parts)
  const rows = result.rows.map((row) => [
    `${row.scenario}, ${row.peer}`,
    ...parts.map((part) => row.parts?.[part]?.median.toFixed(1) ?? ''),
    row.cpu.median.toFixed(2),
    range(row.cpu, 2),
    row.ratio.median.toFixed(2),
    range(row.ratio, 2),
    Math.round(row.rate.median).toString(),
    (row.p50.median / 1000).toFixed(2),
    (row.p99.median / 1000).toFixed(2),
    `${Math.round(row.generator.median * 100)} %`,
    `${Math.round(row.others.median * 100)} %`,
  ])
  const targets = result.targets.map((target) => [
    target.ok ? 'reached' : 'MISSED',
    target.name,
    `${target.value.toFixed(2)} ${factor(target)}`,
    `goal ${bound(target)}`,
  ])
  return [
    `${result.bench}: ${result.unit}, ${result.connections} connections, median of ${result.rounds} rounds`,
    ...table([head, ...rows]),
    '',
    ...table(targets),
    result.ok ? 'ok' : `not ok:\n${result.why.map((reason) => `- ${reason}`).join('\n')}`,
  ].join('\n')
}

/** @param {Spread} spread @param {number} digits */
const range = ({ low, high }, digits) => `${low.toFixed(digits)}–${high.toFixed(digits)}`

/** @param {string[][]} lines */
function table(lines) {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}
