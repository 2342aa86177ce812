import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { file } from '@mullion/file'
import { testStore } from 'mullion/testkit'
import { afterAll, describe, it } from 'vitest'
import { cannotMount, mountSmallDisk } from './small-disk.ts'

const dir = mkdtempSync(join(tmpdir(), 'mullion-file-'))
const small = cannotMount === undefined ? mountSmallDisk(512) : undefined
afterAll(() => {
  small?.unmount()
  rmSync(dir, { recursive: true })
})

testStore(
  { describe, it },
  {
    name: 'file',
    unit: 1 << 20,
    copies: false, // elsewhere: on a file system that can share blocks
    open: () => file({ dir }),
    leftovers: () => [dir, ...(small ? [small.dir] : [])].flatMap((path) => readdirSync(path)),
    refusing: small ? { storage_full: () => file({ dir: small.dir }) } : {},
  },
)
