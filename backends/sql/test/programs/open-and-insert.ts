import { openRegistry } from '@mullion/sql'
import { image } from '../contract/ports.ts'

/** Opens the file, inserts one image under the given id and closes. */
const [file, id] = process.argv.slice(2) as [string, string]
await using registry = await openRegistry({ file })
await registry.images.insert(image({ id }))
