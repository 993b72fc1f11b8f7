import { MemoryPresence } from '../../plugins/presence/store-memory.js'
import { presenceConformance } from './presence.js'

presenceConformance('memory', async () => {
  const store = new MemoryPresence()
  return { store, other: store }
})
