import { it } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { openDatabase, prepare } from '../../src/open.ts'
import { describeServers } from '../servers.ts'
import { provesLists } from './list-property.ts'

describeServers('lists', (database) => {
  it('are what a naive walk over all images would give, page by page', async () => {
    const config = parseConfig(database.config)
    const open = async () => {
      const opened = await openDatabase(config)
      await prepare(config, opened, true)
      await database.empty()
      return opened
    }
    await provesLists(open, 25)
  }, 180_000)
})
