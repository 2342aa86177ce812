import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesAt, environment, namesIn, openStore, reading, streamOf, temporaryDirectory, writing } from './support.ts'

const WRITER = fileURLToPath(new URL('fixtures/writer.ts', import.meta.url))

/** Resolves with the process once it has said its first line. */
async function writer(dir: string, stage: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['--conditions=@mullion/source', WRITER, dir, stage], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, said: said.toString().trim() }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
}

describe('a process that is killed', { timeout: 30_000 }, () => {
  it('in the middle of a write leaves nothing but a partial file, which the next start removes', async () => {
    const dir = await temporaryDirectory()
    const { child, said } = await writer(dir, 'writing')
    expect(said).toBe('written')

    const alive = environment()
    await openStore({ dir, stalePartialMs: 0 }, undefined, alive.env)
    expect(alive.log).toEqual([])
    expect(await namesIn(dir)).toEqual([expect.stringMatching(/^\.image\..*\.part$/)])

    child.kill('SIGKILL')
    await ended(child)
    const [partial = ''] = await namesIn(dir)
    const { env, log } = environment()
    const store = await openStore({ dir }, undefined, env)
    expect(await namesIn(dir)).toEqual([])
    expect(log).toEqual([
      {
        message: 'removed a file that an interrupted write left',
        fields: { path: join(dir, partial), bytes: expect.any(Number) },
      },
    ])
    const { at } = await store.write('image', streamOf('again'), writing())
    expect((await bytesAt(store, at)).toString()).toBe('again')
  })

  it('right after its image appeared has announced it, and left it complete', async () => {
    const dir = await temporaryDirectory()
    const { child, said } = await writer(dir, 'linked')
    await ended(child)
    const at = join(dir, 'image')
    expect(said).toBe(`announced ${at}`)
    expect((await lstat(at)).nlink).toBe(2)

    const store = await openStore({ dir })
    expect(await namesIn(dir)).toEqual(['image'])
    expect(await bytesAt(store, at)).toHaveLength(4 << 20)
    await store.remove(at, reading)
    await store.write('image', streamOf('again'), writing())
  })

  it('with a lock in its hands does not keep the key from being written', async () => {
    const dir = await temporaryDirectory()
    const { child } = await writer(dir, 'locked')
    await ended(child)
    expect(await namesIn(dir)).toEqual([expect.stringMatching(/^\.[0-9a-f]{64}\.lock$/), 'image'])

    const { env, log } = environment()
    const store = await openStore({ dir }, undefined, env)
    expect(await namesIn(dir)).toEqual(['image'])
    expect(log).toHaveLength(1)
    await store.remove(join(dir, 'image'), reading)
    await store.write('image', streamOf('again'), writing())
  })
})
