/** A contract that declares nothing yet. */
import { defineContract } from '../../../contract/index.js'

export default defineContract({ name: 'empty', version: '0.0.0' })
