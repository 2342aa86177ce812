import { openRegistry } from '@mullion/sql'
import { image } from '../contract/ports.ts'

/** Inserts and changes images until somebody kills it; prints each id once the change was answered. */
const registry = await openRegistry({ file: process.argv[2] as string })
for (let at = 0; ; at += 1) {
  const id = `image-${at}`
  const locations = [{ uri: `file:///${id}`, metadata: {}, status: 'active' as const }]
  await registry.images.insert(image({ id, status: 'queued' }))
  const properties = new Map(Array.from({ length: 20 }, (_, property) => [`p${property}`, id]))
  await registry.images.update(
    id,
    { status: 'active', properties: { set: properties, purge: true }, tags: [id], locations },
    { status: ['queued'] },
  )
  console.log(id)
  await new Promise((resolve) => setImmediate(resolve))
}
