import { expect, it } from 'vitest'
import { startProgram } from '../child.ts'
import { rows, temporaryFile } from '../temporary.ts'

it('makes the tables once when several processes open at a time', async () => {
  const file = await temporaryFile()
  const program = new URL('../programs/open-and-insert.ts', import.meta.url)
  const children = Array.from({ length: 4 }, (_, at) => startProgram(program, file, `image-${at}`))
  expect(await Promise.all(children.map(({ exit }) => exit))).toEqual([0, 0, 0, 0])
  expect(rows(file, 'select name from schema_version')).toEqual([{ name: '0001_initial' }, { name: '0002_servers' }])
  expect(rows(file, 'select count(*) as count from images')).toEqual([{ count: 4 }])
}, 30_000)
