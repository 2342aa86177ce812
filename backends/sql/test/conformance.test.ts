import { describe, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { memoryRegistry, memoryTasks } from 'mullion/images'
import { testRegistry } from './registry-contract.ts'

testRegistry({ describe, it }, { name: 'sqlite', open: () => openRegistry({ file: ':memory:' }) })

const key = Buffer.alloc(32, 7).toString('base64')
testRegistry(
  { describe, it },
  { name: 'sqlite, encrypted', open: () => openRegistry({ file: ':memory:', encryptionKeys: [{ id: 'k1', key }] }) },
)

// the records in memory keep the same promises: a test on them says something about a database
testRegistry({ describe, it }, { name: 'memory', open: async () => ({ ...memoryRegistry(), tasks: memoryTasks() }) })
