import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { realDisk } from '../src/disk.ts'
import { lockName, partialName, sweep } from '../src/partial.ts'
import { formatIdentity, isRunning, type ProcessIdentity, parseIdentity, thisProcess } from '../src/process.ts'
import { environment, namesIn, systemError, temporaryDirectory } from './support.ts'

const DAY = 86_400_000
const self = await thisProcess()
const elsewhere: ProcessIdentity = { host: 'ffffffff', pid: process.pid, start: self.start }
const reused: ProcessIdentity = { ...self, start: 'ffffffff' }

/** Creates the file, last written so long ago. */
async function leave(dir: string, name: string, content = '', ageMs = 0): Promise<string> {
  await writeFile(join(dir, name), content)
  const at = (Date.now() - ageMs) / 1000
  await utimes(join(dir, name), at, at)
  return name
}

async function endedProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return { ...self, pid: child.pid ?? 0 }
}

describe('the name of a partial file', () => {
  it('is new each time, hidden, and short enough for any key', () => {
    const key = 'k'.repeat(255)
    expect(partialName(key, self)).not.toBe(partialName(key, self))
    expect(partialName(key, self).length).toBeLessThanOrEqual(255)
    expect(partialName('image', self)).toMatch(/^\.image\./)
    expect(lockName(key).length).toBeLessThanOrEqual(255)
  })
})

describe('a process', () => {
  it('is told apart by host, number and start', async () => {
    expect(parseIdentity(formatIdentity(self))).toEqual(self)
    expect(await isRunning(self, self)).toBe(true)
    expect(await isRunning(elsewhere, self)).toBeUndefined()
    expect(await isRunning(await endedProcess(), self)).toBe(false)
  })

  it.runIf(process.platform === 'linux')('is not the one that had its number before', async () => {
    expect(self.start).not.toBe('00000000')
    expect(await isRunning(reused, self)).toBe(false)
    expect(await isRunning({ ...self, start: '00000000' }, self)).toBe(true)
  })

  it.each(['', 'x', 'ffffffff-0-ffffffff', 'ffffffff--1-ffffffff', '../../x'])('is not read from %j', (token) => {
    expect(parseIdentity(token)).toBeUndefined()
  })
})

describe('sweeping', () => {
  it('removes and reports what ended processes left, and nothing else', async () => {
    const dir = await temporaryDirectory()
    const gone = await endedProcess()
    const kept = [
      await leave(dir, 'image', 'data', 9 * DAY),
      await leave(dir, '.image.part', 'not ours', 9 * DAY),
      await leave(dir, `.image.${formatIdentity(gone)}.0.part`, 'not ours', 9 * DAY),
      await leave(dir, '.lock', 'not ours', 9 * DAY),
      await leave(dir, partialName('mine', self), 'alive', 9 * DAY),
      await leave(dir, lockName('mine'), formatIdentity(self), 9 * DAY),
      await leave(dir, partialName('far', elsewhere), 'maybe alive', DAY - 60_000),
      await leave(dir, lockName('young'), '', 1000),
    ]
    const swept = [
      await leave(dir, partialName('gone', gone), 'half'),
      await leave(dir, lockName('gone'), formatIdentity(gone)),
      await leave(dir, partialName('far', elsewhere), 'abandoned', DAY + 60_000),
      await leave(dir, lockName('old'), '', DAY + 60_000),
    ]
    const { env, log } = environment()
    await sweep(realDisk, dir, env, { self, stalePartialMs: DAY })
    expect(await namesIn(dir)).toEqual(kept.toSorted())
    expect(log.map(({ fields }) => String(fields['path'])).toSorted()).toEqual(
      swept.map((name) => join(dir, name)).toSorted(),
    )
  })

  it('does not wait for a FIFO that has the name of a lock', async () => {
    const dir = await temporaryDirectory()
    execFileSync('mkfifo', [join(dir, lockName('x'))])
    await sweep(realDisk, dir, environment().env, { self, stalePartialMs: 0 })
    expect(await namesIn(dir)).toEqual([lockName('x')])
  })

  it('reports what it could not remove, and goes on', async () => {
    const dir = await temporaryDirectory()
    const gone = await endedProcess()
    await leave(dir, partialName('a', gone))
    await leave(dir, partialName('b', gone))
    const { env, log } = environment()
    const unlink = (): Promise<void> => Promise.reject(systemError('EACCES'))
    await sweep({ ...realDisk, unlink }, dir, env, { self, stalePartialMs: DAY })
    expect(log.map(({ message }) => message)).toEqual(Array(2).fill('could not remove what an interrupted write left'))
    expect(await namesIn(dir)).toHaveLength(2)
  })

  it('stays silent about what another process removed first', async () => {
    const dir = await temporaryDirectory()
    await leave(dir, partialName('a', await endedProcess()))
    const { env, log } = environment()
    const unlink = (): Promise<void> => Promise.reject(systemError('ENOENT'))
    await sweep({ ...realDisk, unlink }, dir, env, { self, stalePartialMs: DAY })
    expect(log).toEqual([])
  })
})
