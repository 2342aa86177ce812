import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { holdDataDir } from '../../src/server/data-dir.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mullion-data-'))
})
afterEach(() => {
  chmodSync(root, 0o700)
  rmSync(root, { recursive: true })
})

describe('the data directory', () => {
  it('is made with its parents, for its owner only', () => {
    const held = holdDataDir(join(root, 'a', 'b'))
    expect(statSync(join(root, 'a', 'b')).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(root, 'a', 'b', 'server.pid'), 'utf8')).toBe(`${process.pid}\n`)
    held.release()
  })

  it('is held by one server at a time, and the other is told by which', () => {
    const held = holdDataDir(root)
    expect(() => holdDataDir(root)).toThrow(`data directory ${root}: another server uses it (process ${process.pid})`)
    held.release()
    holdDataDir(root).release()
  })

  it('is free after its holder is gone, whatever files are left', () => {
    writeFileSync(join(root, 'server.pid'), '1\n')
    holdDataDir(root).release()
  })

  it('is left without a trace of the check whether it can be written', () => {
    const held = holdDataDir(root)
    expect(readdirSync(root).toSorted()).toEqual(['server.id', 'server.lock', 'server.pid'])
    held.release()
    expect(readdirSync(root)).toEqual(['server.id', 'server.lock'])
  })

  it('keeps its id, and makes another when that is lost', () => {
    const first = holdDataDir(root)
    first.release()
    const second = holdDataDir(root)
    second.release()
    expect(second.id).toBe(first.id)
    writeFileSync(join(root, 'server.id'), '')
    const third = holdDataDir(root)
    third.release()
    expect(third.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(third.id).not.toBe(first.id)
  })

  it('is refused in one line when a part of its path is a file', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => holdDataDir(join(root, 'file'))).toThrow(`data directory ${root}/file: it is a file`)
    expect(() => holdDataDir(join(root, 'file', 'data'))).toThrow(
      `data directory ${root}/file/data: a part of the path is a file`,
    )
  })

  it.skipIf(process.getuid?.() === 0)('is refused when this user may not write there', () => {
    mkdirSync(join(root, 'locked'), { mode: 0o500 })
    expect(() => holdDataDir(join(root, 'locked'))).toThrow(
      `data directory ${root}/locked: this user may not write there`,
    )
  })
})
