import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRegistry } from '@mullion/sql'
import { describeTable } from './table.ts'

describeTable('Images v1 over SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mullion-table-'))
  const { images, members, tasks, close } = await openRegistry({ file: join(directory, 'registry.sqlite') })
  return {
    images,
    members,
    tasks,
    async close() {
      await close()
      rmSync(directory, { recursive: true })
    },
  }
})
