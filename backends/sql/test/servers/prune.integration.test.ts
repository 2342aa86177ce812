import { expect, it } from 'vitest'
import { KEPT_TASKS } from '../../src/tasks/prune.ts'
import { IDS } from '../contract/ports.ts'
import { describeServers, openedOn } from '../servers.ts'

const [ID] = IDS

describeServers('tasks that are over', (database) => {
  it('go oldest first when one is settled, and those that stay are not locked', async () => {
    const { tasks } = await openedOn(database)
    await database.empty()
    const claim = await tasks.begin({ kind: 'upload', id: 'last', imageId: ID, onFailure: 'kill' }, 'w')
    const time = new Date().toISOString()
    await database.sql(`insert into tasks (id, kind, image_id, status, created_at, finished_at, attempts)
      with recursive n (x) as (select 1 union all select x + 1 from n where x < ${KEPT_TASKS})
      select concat('t', x), 'copy', 'i', 'done', '${time}', '${time}', 1 from n`)
    const old = new Date(Date.now() - 31 * 24 * 60 * 60 * 1000).toISOString()
    await database.sql(`update tasks set finished_at = '${old}' where id in ('t7', 't8')`)
    await database.sql(`insert into tasks (id, kind, image_id, status, created_at, finished_at, attempts)
      select concat('u', id), kind, image_id, status, created_at, finished_at, attempts from tasks
      where id in ('t9', 't10', 't11')`)
    await tasks.settle(claim)
    const left = await database.sql('select id from tasks')
    const ids = new Set(left.map(({ id }) => id))
    expect(ids.size).toBe(KEPT_TASKS)
    // two of their age, and with the one that was settled and three more beside them two of the number
    for (const id of ['t1', 't2', 't7', 't8']) expect(ids).not.toContain(id)
    for (const id of ['t3', 'ut9', 'last']) expect(ids).toContain(id)
    if (database.dialect !== 'postgres') return
    expect(await database.sql(`select id from tasks where xmax::text <> '0'`)).toEqual([])
  })
})
