import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { send } from '../process/client.ts'
import { origin, PIECE, type Rig, rig, until } from './rig.ts'

const MIB = 1024 * 1024

/** A file system of its own; undefined, said aloud, where this user may not mount one. */
function smallDisk(bytes: number): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'mullion-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', dir], { stdio: 'pipe' })
  } catch (error) {
    rmdirSync(dir)
    process.stderr.write(`no test with a full disk: ${String((error as { stderr?: Buffer }).stderr ?? error)}\n`)
    return undefined
  }
  onTestFinished(() => {
    execFileSync('umount', [dir])
    rmdirSync(dir)
  })
  return dir
}

const get = ({ server }: Rig, id: string) => send('GET', `${server.url}/v1/images/${id}`)

describe('a disk that gets full', () => {
  it.for([true, false])(
    'while an image gets into the cache: all clients get it (ranges: %s)',
    async (range, { skip }) => {
      const dir = smallDisk(8 * MIB)
      if (dir === undefined) return skip('needs the right to mount')
      const from = origin(range)
      const rigged = await rig({ cache: { dir }, origin: from })
      const bytes = randomBytes(5 * MIB + 77)
      const id = await rigged.image(bytes)
      const filler = join(dir, 'filler')
      from.before = (_, offset) => {
        if (offset === 16 * PIECE) fill(filler, 8 * MIB)
      }
      const answers = await Promise.all([get(rigged, id), get(rigged, id), get(rigged, id)])
      for (const { status, body } of answers) expect([status, body.equals(bytes)]).toEqual([200, true])
      expect(rigged.said).toContain('the cache cannot be written; those who read go on from the store')
      expect(from.reads).toBe(1 + 3)
      expect([rigged.cache.cached(), rigged.files()]).toEqual([[], []])

      expect((await get(rigged, id)).body.equals(bytes)).toBe(true) // does not even begin
      expect(rigged.files()).toEqual([])
      rmSync(filler)
      from.before = () => {}
      expect((await get(rigged, id)).body.equals(bytes)).toBe(true)
      await until(() => rigged.cache.cached().length === 1)
      await rigged.cache.close()
    },
  )

  it('costs older images their place first', async ({ skip }) => {
    const dir = smallDisk(8 * MIB)
    if (dir === undefined) return skip('needs the right to mount')
    const rigged = await rig({ cache: { dir, minFree: MIB } })
    const ids = []
    for (let turn = 0; turn < 4; turn += 1) {
      const id = await rigged.image(randomBytes(3 * MIB))
      ids.push(id)
      expect((await get(rigged, id)).body.length).toBe(3 * MIB)
      await until(() => rigged.cache.cached().some(({ imageId }) => imageId === id))
    }
    expect(rigged.cache.cached().map(({ imageId }) => imageId)).toEqual(ids.slice(-2))
    await rigged.cache.close()
  })
})

/** Takes all the room there is. */
function fill(path: string, bytes: number): void {
  for (let size = bytes; size >= 4096; size /= 2) {
    try {
      writeFileSync(path, Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
}
