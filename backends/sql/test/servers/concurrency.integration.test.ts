import { describe, expect, it } from 'vitest'
import { startProgram } from '../child.ts'
import { IDS, image } from '../contract/ports.ts'
import { describeServers, openedOn } from '../servers.ts'

const [ID] = IDS

describeServers('several API servers on one database', (database) => {
  describe('tables', () => {
    it('are made once when many processes open the empty database at a time, and no task is done twice', async () => {
      const config = JSON.stringify(database.config)
      const enqueue = new URL('../programs/enqueue.ts', import.meta.url)
      const writers = ['a', 'b', 'c', 'd'].map((name) => startProgram(enqueue, config, name, '15'))
      expect(await Promise.all(writers.map(({ exit }) => exit))).toEqual([0, 0, 0, 0])
      const versions = await database.sql('select name from schema_version order by name')
      expect(versions.map(({ name }) => name)).toEqual(['0001_initial', '0002_servers'])

      const claimAll = new URL('../programs/claim-all.ts', import.meta.url)
      const workers = ['v', 'w', 'x'].map((name) => startProgram(claimAll, config, name))
      const done = (await Promise.all(workers.map(({ lines }) => Array.fromAsync(lines)))).flat()
      expect(await Promise.all(workers.map(({ exit }) => exit))).toEqual([0, 0, 0])
      const all = ['a', 'b', 'c', 'd'].flatMap((name) => Array.from({ length: 15 }, (_, at) => `${name}-${at} 1`))
      expect(done.toSorted()).toEqual(all.toSorted())
      await database.empty()
    })
  })

  describe('writers', () => {
    it('let exactly one of several who expect the same status win, round after round', async () => {
      const servers = [await openedOn(database), await openedOn(database), await openedOn(database)]
      const [first] = servers as [(typeof servers)[0]]
      await database.empty()
      await first.images.insert(image({ status: 'queued' }))
      for (let round = 0; round < 25; round += 1) {
        const race = servers.flatMap(({ images }, server) =>
          [0, 1].map((writer) =>
            images.update(ID, { status: 'saving', writer: `${server}.${writer}` }, { status: ['queued'] }),
          ),
        )
        const results = await Promise.allSettled(race)
        const won = results.filter((result) => result.status === 'fulfilled')
        const lost = results.filter((result) => result.status === 'rejected')
        expect([won.length, lost.length]).toEqual([1, 5])
        for (const { reason } of lost) expect(reason).toMatchObject({ code: 'conflict' })
        const writer = won[0]?.value.writer as string
        expect((await first.images.get(ID)).writer).toBe(writer)
        const other = first.images.update(ID, { status: 'active' }, { status: ['saving'], writer: 'other' })
        await expect(other).rejects.toMatchObject({ code: 'conflict' })
        await first.images.update(ID, { status: 'queued', writer: undefined }, { status: ['saving'], writer })
      }
    })

    it('add no more members than an image may have', async () => {
      const servers = [await openedOn(database), await openedOn(database)]
      const [first] = servers as [(typeof servers)[0]]
      await database.empty()
      await first.images.insert(image())
      const adds = servers.flatMap(({ members }, server) =>
        Array.from({ length: 10 }, (_, at) => members.put(ID, { member: `${server} ${at}` }, { limit: 3 })),
      )
      const results = await Promise.allSettled(adds)
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
      expect(await first.members.list(ID)).toHaveLength(3)
    })

    it('lose no property when all of them merge, and one of two inserts wins', async () => {
      const servers = [await openedOn(database), await openedOn(database)]
      const [first] = servers as [(typeof servers)[0]]
      await database.empty()
      const inserts = await Promise.allSettled(servers.map(({ images }) => images.insert(image())))
      expect(inserts.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      expect(inserts.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'already_exists' } })
      const merges = servers.flatMap(({ images }, server) =>
        Array.from({ length: 20 }, (_, at) =>
          images.update(ID, {
            properties: {
              set: new Map([
                [`${server}.${at}`, 'x'],
                ['both', `${server}`],
              ]),
              purge: false,
            },
            tags: [`${server}`],
          }),
        ),
      )
      await Promise.all(merges)
      const { properties, tags } = await first.images.get(ID)
      expect([properties.size, tags.length]).toEqual([41, 1])
    })

    it("see each other's changes at once, and never half of one", async () => {
      const [first, second] = [await openedOn(database), await openedOn(database)]
      await database.empty()
      await first.images.insert(image({ name: '0', properties: new Map([['n', '0']]) }))
      const writing = (async () => {
        for (let at = 1; at <= 30; at += 1) {
          await first.images.update(ID, { name: `${at}`, properties: { set: new Map([['n', `${at}`]]), purge: false } })
          expect((await second.images.get(ID)).name).toBe(`${at}`)
        }
      })()
      for (let at = 0; at < 60; at += 1) {
        const { name, properties } = await second.images.get(ID)
        expect(properties.get('n')).toBe(name)
      }
      await writing
    })

    it('do not meet when they change and delete many images at a time', async () => {
      const servers = [await openedOn(database), await openedOn(database)]
      await database.empty()
      const work = servers.flatMap(({ images, members }, server) =>
        Array.from({ length: 15 }, async (_, at) => {
          const id = `${server}-${at}`
          await images.insert(image({ id, properties: new Map([['a', '1']]), tags: ['t'] }))
          await members.replace(id, [{ member: 'm' }, { member: 'n' }])
          await images.update(id, { properties: { set: new Map([['b', '2']]), purge: true } })
          await images.update(id, { status: 'deleted' })
        }),
      )
      await Promise.all(work)
      expect(await database.sql("select id from images where status = 'deleted'")).toHaveLength(30)
    })
  })

  describe('leases', () => {
    it('end by the time of the database, whatever the clocks of the servers say', async () => {
      const [holder, taker] = [await openedOn(database, { leaseMs: 300 }), await openedOn(database, { leaseMs: 300 })]
      await database.empty()
      const claim = await holder.tasks.begin({ kind: 'upload', id: 'u', imageId: ID, onFailure: 'kill' }, 'holder')
      const [task] = await holder.tasks.list()
      const left = (task?.held?.until.getTime() ?? 0) - (task?.createdAt.getTime() ?? 0)
      expect(left).toBe(300)
      expect(Math.abs((task?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
      expect(await taker.tasks.claim('taker', 'upload')).toBeUndefined()
      await expect.poll(() => taker.tasks.claim('taker', 'upload'), { timeout: 10_000 }).toMatchObject({ attempt: 2 })
      await expect(holder.tasks.renew(claim)).rejects.toMatchObject({ code: 'conflict' })
      await expect(holder.tasks.settle(claim)).rejects.toMatchObject({ code: 'conflict' })
    })
  })
})
