import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { everything, IDS, image } from './contract/ports.ts'
import { opened, temporaryFile } from './temporary.ts'

const [ID] = IDS

async function pair(busyTimeoutMs: number = 5000) {
  const file = await temporaryFile()
  return { file, first: await opened({ file, busyTimeoutMs }), second: await opened({ file, busyTimeoutMs }) }
}

describe('two connections to one file', () => {
  it('let exactly one of two racing writers win, round after round', async () => {
    const { first, second } = await pair()
    await first.images.insert(image({ status: 'queued' }))
    for (let round = 0; round < 20; round += 1) {
      const race = [first, second].map(({ images }, writer) =>
        images.update(ID, { status: 'saving', name: `${round} ${writer}` }, { status: ['queued'] }),
      )
      const results = await Promise.allSettled(race)
      const won = results.filter((result) => result.status === 'fulfilled')
      const lost = results.filter((result) => result.status === 'rejected')
      expect([won.length, lost.length]).toEqual([1, 1])
      expect(lost[0]?.reason).toMatchObject({ code: 'conflict' })
      expect((await second.images.get(ID)).name).toBe(won[0]?.value.name)
      await second.images.update(ID, { status: 'queued' })
    }
  })

  it('let exactly one of two inserts of an id win', async () => {
    const { first, second } = await pair()
    const results = await Promise.allSettled([first, second].map(({ images }) => images.insert(image())))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'already_exists' })
  })

  it('lose no property when both merge', async () => {
    const { first, second } = await pair()
    await first.images.insert(image())
    const merges = [first, second].flatMap(({ images }, writer) =>
      Array.from({ length: 20 }, (_, at) =>
        images.update(ID, { properties: { set: new Map([[`${writer}.${at}`, 'x']]), purge: false } }),
      ),
    )
    await Promise.all(merges)
    expect((await first.images.get(ID)).properties.size).toBe(40)
  })

  it('never give one task to both', async () => {
    const { first, second } = await pair()
    for (let at = 0; at < 30; at += 1) {
      await first.tasks.enqueue({ kind: 'copy', id: `t${at}`, imageId: ID, uri: 'http://host/', store: undefined })
    }
    const drain = async ({ tasks }: typeof first, worker: string): Promise<string[]> => {
      const ids: string[] = []
      for (;;) {
        const claim = await tasks.claim(worker, 'copy')
        if (!claim) return ids
        ids.push(claim.task.id)
      }
    }
    const claimed = await Promise.all([drain(first, 'a'), drain(second, 'b')])
    expect(claimed.flat().length).toBe(30)
    expect(new Set(claimed.flat()).size).toBe(30)
  })

  it("see each other's changes at once, and never half of one", async () => {
    const { first, second } = await pair()
    await first.images.insert(image({ name: '0', properties: new Map([['n', '0']]) }))
    const writing = (async () => {
      for (let at = 1; at <= 30; at += 1) {
        await first.images.update(ID, { name: `${at}`, properties: { set: new Map([['n', `${at}`]]), purge: false } })
      }
    })()
    for (let at = 0; at < 60; at += 1) {
      const { name, properties } = await second.images.get(ID)
      expect(properties.get('n')).toBe(name)
    }
    await writing
    expect((await second.images.get(ID)).name).toBe('30')
  })
})

describe('while another process holds the write lock', () => {
  it('reads, and rejects writes as unavailable once the time is up', async () => {
    const { file, first } = await pair(60)
    await first.images.insert(image())
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    await expect(first.images.update(ID, { name: 'x' })).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect(await first.images.list(everything())).toHaveLength(1)
    other.exec('rollback')
    other.close()
    expect((await first.images.update(ID, { name: 'x' })).name).toBe('x')
  })

  it('waits without blocking this process, and writes when the lock is free', async () => {
    const { file, first } = await pair()
    await first.images.insert(image())
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    const update = first.images.update(ID, { name: 'x' })
    // Could not run before the update was done if waiting held the event loop.
    await new Promise((resolve) => setImmediate(resolve))
    other.exec('rollback')
    other.close()
    expect((await update).name).toBe('x')
  })
})
