import { describeServers } from './servers.ts'
import { describeUnreadable } from './unreadable.ts'

describeServers('without the key', (database) =>
  describeUnreadable({
    config: () => database.config,
    sql: (text) => database.sql(text),
    empty: () => database.empty(),
  }),
)
