import { describe, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { testRegistry } from './registry-contract.ts'

testRegistry({ describe, it }, { name: 'sqlite', open: () => openRegistry({ file: ':memory:' }) })

const key = Buffer.alloc(32, 7).toString('base64')
testRegistry(
  { describe, it },
  { name: 'sqlite, encrypted', open: () => openRegistry({ file: ':memory:', encryptionKeys: [{ id: 'k1', key }] }) },
)
