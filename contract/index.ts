/** `ackord/contract`: write a contract, read it back, infer its types. */
export { FormatRegistry, type Static, Type } from '@sinclair/typebox'
export * from './contract.js'
export * from './errors.js'
export * from './infer.js'
export * from './json.js'
