import { expect, it } from 'vitest'
import { startProgram } from './child.ts'
import { opened, rows, temporaryFile } from './temporary.ts'

it.each([1, 7, 40])(
  'keeps every answered change, and no half of one, when the process is killed after %i answers',
  async (answers) => {
    const file = await temporaryFile()
    const child = startProgram(new URL('./programs/write-forever.ts', import.meta.url), file)
    const answered: string[] = []
    for await (const id of child.lines) {
      answered.push(id)
      if (answered.length === answers) child.kill() // lines written before the signal arrives still come
    }
    expect(await child.exit).toBe(null)
    expect(answered.length).toBeGreaterThanOrEqual(answers)

    const registry = await opened({ file })
    expect(rows(file, 'pragma integrity_check')).toEqual([{ integrity_check: 'ok' }])
    expect(rows(file, 'pragma foreign_key_check')).toEqual([])
    for (const id of answered) {
      const image = await registry.images.get(id)
      expect([image.status, image.properties.size, image.tags.length, image.locations.length]).toEqual([
        'active',
        20,
        1,
        1,
      ])
    }
    const all = rows(file, 'select id from images').map(({ id }) => id as string)
    expect(all.length - answered.length).toBeLessThanOrEqual(2)
    for (const id of all) {
      const { status, properties, tags, locations } = await registry.images.get(id)
      const parts = [properties.size, tags.length, locations.length]
      expect(parts).toEqual(status === 'active' ? [20, 1, 1] : [0, 0, 0])
    }
  },
  30_000,
)
