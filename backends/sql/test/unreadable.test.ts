import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe } from 'vitest'
import { temporaryFile } from './temporary.ts'
import { describeUnreadable } from './unreadable.ts'

describe('without the key: sqlite', () => {
  let file: string
  beforeEach(async () => {
    file = await temporaryFile()
  })
  describeUnreadable({
    config: () => ({ file }),
    sql(text) {
      const database = new DatabaseSync(file)
      database.exec(text)
      database.close()
    },
    empty() {}, // each test has a file of its own
  })
})
