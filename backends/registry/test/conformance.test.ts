import { openRemoteRegistry } from '@mullion/registry'
import { openRegistry } from '@mullion/sql'
import { memoryRegistry, memoryTasks } from 'mullion/images'
import { describe, it } from 'vitest'
import { startRegistry } from '../../../examples/image-server/test/registry/registry.ts'
import { LEASE_MS, type RegistryPorts } from '../../sql/test/contract/ports.ts'
import { testRegistry } from '../../sql/test/registry-contract.ts'

const encryptionKeys = [{ id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }]

type Kept = Omit<RegistryPorts, 'clock'> & { close?(): Promise<void> }

const KEEPERS: Readonly<Record<string, (now: () => Date) => Promise<Kept>>> = {
  memory: async (now) => ({ ...memoryRegistry(now), tasks: memoryTasks({ leaseMs: LEASE_MS, now }) }),
  SQLite: (now) => openRegistry({ file: ':memory:', leaseMs: LEASE_MS }, { now }),
}

for (const [keeper, keep] of Object.entries(KEEPERS)) {
  for (const [name, keys] of [['plain', []] as const, ['sealed', encryptionKeys] as const]) {
    testRegistry(
      { describe, it },
      {
        name: `remote, ${name}, over ${keeper}`,
        async open(now) {
          const kept = await keep(now)
          const registry = await startRegistry(kept)
          const remote = await openRemoteRegistry({ url: registry.url, encryptionKeys: keys })
          const { images, members, tasks } = remote
          return {
            images,
            members,
            tasks,
            async close() {
              await remote.close()
              await registry.close()
              await kept.close?.()
            },
          }
        },
      },
    )
  }
}
