import { openRegistry, type SqlConfig } from '@mullion/sql'

/** Opens the database, which may be empty, and puts so many tasks into the queue. */
const [config, name, count] = process.argv.slice(2) as [string, string, string]
await using registry = await openRegistry(JSON.parse(config) as SqlConfig)
for (let at = 0; at < Number(count); at += 1) {
  await registry.tasks.enqueue({
    kind: 'copy',
    id: `${name}-${at}`,
    imageId: 'i',
    uri: 'http://host/',
    store: undefined,
  })
}
