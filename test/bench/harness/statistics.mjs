/** Figures over the rounds of a run. */

/**
 * The middle one of a few figures, and the lowest and the highest.
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} low
 * @property {number} high
 */

/**
 * @param {number[]} values at least one
 * @returns {Spread}
 */
export function spread(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(0),
    high: at(sorted.length - 1),
  }
}
