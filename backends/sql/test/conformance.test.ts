import { describe, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { memoryRegistry, memoryTasks } from 'mullion/images'
import { LEASE_MS } from './contract/ports.ts'
import { testRegistry } from './registry-contract.ts'

const config = { file: ':memory:', leaseMs: LEASE_MS }
testRegistry({ describe, it }, { name: 'sqlite', open: (now) => openRegistry(config, { now }) })

const key = Buffer.alloc(32, 7).toString('base64')
testRegistry(
  { describe, it },
  {
    name: 'sqlite, encrypted',
    open: (now) => openRegistry({ ...config, encryptionKeys: [{ id: 'k1', key }] }, { now }),
  },
)

// the records in memory keep the same promises: a test on them says something about a database
testRegistry(
  { describe, it },
  {
    name: 'memory',
    open: async (now) => ({ ...memoryRegistry(now), tasks: memoryTasks({ leaseMs: LEASE_MS, now }) }),
  },
)
