import { memory } from 'mullion'
import { testStore } from 'mullion/testkit'
import { describe, it } from 'vitest'

testStore(
  { describe, it },
  {
    name: 'memory',
    open: () => memory(),
    refusing: { storage_full: () => memory({ capacity: 1_000_000 }) },
    unit: 64 * 1024,
  },
)
