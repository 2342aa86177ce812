import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { installation, jsonLines, mullion, temporaryDirectory } from './command-line.ts'

describe('the command line of mullion', () => {
  it.each([
    [[]],
    [['nonsense']],
    [['db']],
    [['db', 'nonsense']],
    [['doctor', '--grace', 'soon']],
    [['doctor', '--fix=data-missing']],
    [['export', '--nonsense']],
    [['import']],
    [['import', 'a', '--on-conflict', 'maybe']],
    [['import-glance', 'sqlite:////x', '--map-location', 'nothing']],
  ])('is refused with exit code 2 and words on standard error when it is wrong: %j', async (args) => {
    const { code, stdout, stderr } = await mullion(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
  })

  it('explains itself', async () => {
    const { code, stdout } = await mullion(['--help'])
    expect(code).toBe(0)
    for (const command of ['serve', 'registry', 'db', 'doctor', 'export', 'import', 'import-glance']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    }
    expect((await mullion(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('names what is wrong in the configuration, a line for each, without a stack', async () => {
    const { code, stderr } = await mullion(['db', 'check'], { MULLION_PORT: '-1', MULLION_LOG_LEVEL: 'loud' })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mullion: MULLION_PORT: port: .*\nmullion: MULLION_LOG_LEVEL: log\.level: .*\n$/)
  })

  it('reads the file of --config, or of MULLION_CONFIG', async () => {
    const dir = await temporaryDirectory()
    const file = join(dir, 'mullion.toml')
    await writeFile(file, `data_dir = "${join(dir, 'data')}"`)
    expect(await mullion(['db', 'upgrade', '--config', file])).toMatchObject({ code: 0 })
    expect(await mullion(['db', 'check'], { MULLION_CONFIG: file })).toMatchObject({ code: 0 })
  })
})

describe('mullion db', () => {
  it('tells an empty database from one that is up to date', async () => {
    const env = { MULLION_DATA_DIR: await temporaryDirectory() }
    const empty = await mullion(['db', 'check', '--json'], env)
    expect(empty.code).toBe(3)
    const [{ pending, latest } = {}] = jsonLines(empty.stdout)
    expect(pending).toContain(latest)
    expect(jsonLines((await mullion(['db', 'upgrade', '--json'], env)).stdout)).toEqual([{ applied: pending }])
    const full = await mullion(['db', 'check', '--json'], env)
    expect(full.code).toBe(0)
    expect(jsonLines(full.stdout)).toEqual([{ version: latest, latest, pending: [] }])
    expect((await mullion(['db', 'upgrade'], env)).stdout).toBe('the database is up to date\n')
  })

  it('is asked for by commands that need the tables', async () => {
    const { code, stderr } = await mullion(['doctor'], { MULLION_DATA_DIR: await temporaryDirectory() })
    expect(code).toBe(1)
    expect(stderr).toContain('mullion db upgrade')
  })

  it('leaves a database of another program alone', async () => {
    const { dir, env } = await installation()
    await writeFile(join(dir, 'registry.sqlite'), 'something else entirely'.repeat(100))
    expect(await mullion(['db', 'upgrade'], env)).toMatchObject({ code: 1 })
  })
})
