import { it } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { openDatabase, prepare } from '../../src/open.ts'
import { provesLists } from './list-property.ts'

it('lists what a naive walk over all images would, page by page', async () => {
  const config = parseConfig({ file: ':memory:' })
  const open = async () => {
    const database = await openDatabase(config)
    await prepare(config, database, true)
    return database
  }
  await provesLists(open, 150)
}, 60_000)
