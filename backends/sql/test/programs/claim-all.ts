import { openRegistry, type SqlConfig } from '@mullion/sql'

/** Claims and settles tasks until there is none; prints the id and the attempt of each. */
const [config, worker] = process.argv.slice(2) as [string, string]
await using registry = await openRegistry(JSON.parse(config) as SqlConfig)
for (;;) {
  const claim = await registry.tasks.claim(worker, 'copy')
  if (!claim) break
  console.log(`${claim.task.id} ${claim.attempt}`)
  await registry.tasks.settle(claim)
}
