import { describe, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { LEASE_MS } from './contract/ports.ts'
import { testRegistry } from './registry-contract.ts'
import { describeServers } from './servers.ts'

const key = Buffer.alloc(32, 7).toString('base64')

describeServers('the contract', (database) => {
  for (const [name, changes] of [
    ['plain', {}],
    ['encrypted', { encryptionKeys: [{ id: 'k1', key }] }],
  ] as const) {
    testRegistry(
      { describe, it },
      {
        name,
        async open(now) {
          const registry = await openRegistry({ ...database.config, leaseMs: LEASE_MS, ...changes }, { now })
          await database.empty()
          return registry
        },
      },
    )
  }
})
