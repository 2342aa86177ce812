import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { lockName, partialName } from '../src/partial.ts'
import {
  bytesAt,
  configFor,
  ENV,
  environment,
  failureOf,
  handOver,
  makeDirectory,
  namesIn,
  openStore,
  removeDirectory,
  streamOf,
  writing,
} from './support.ts'

const WRITER = fileURLToPath(new URL('fixtures/writer.ts', import.meta.url))
const DAY_MS = 86_400_000

describeWithService(ENV, 'sftp.sh', 'what a crash leaves', (service) => {
  const directory = (): string => {
    const path = makeDirectory(service)
    onTestFinished(() => removeDirectory(path))
    return path
  }

  it('is a partial file, which no reader finds and the next start removes once it is old', async () => {
    const root = directory()
    const config = configFor(service, root)
    const child = spawn(process.execPath, ['--conditions=@mullion/source', WRITER, JSON.stringify(config)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(String(said)).toBe('written\n')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = namesIn(root)
    expect(left).toEqual([expect.stringMatching(/^\.image\.[0-9a-f]{32}\.part$/)])
    const bytes = statSync(join(root, left[0] ?? '')).size
    expect(bytes).toBeGreaterThan(0)

    const { env, log } = environment(() => Date.now() + 8 * DAY_MS)
    const store = await openStore(config, env)
    onTestFinished(() => store.close())
    await vi.waitFor(() => expect(log).not.toEqual([]))
    expect(log).toMatchObject([
      { message: 'removed a file that an interrupted upload left', fields: { path: join(root, left[0] ?? '') } },
    ])
    expect(namesIn(root)).toEqual([])
    const { at } = await store.write('image', streamOf('again'), writing())
    expect(String(await bytesAt(store, at))).toBe('again')
  })

  it('is removed by name, kind and age alone', async () => {
    const root = directory()
    const old = (name: string): string => {
      const path = join(root, name)
      writeFileSync(path, 'x')
      handOver(service, path)
      utimesSync(path, 1, 1)
      return name
    }
    const swept = [old(partialName('a')), old(lockName('a'))]
    const kept = [
      old('image'),
      old('.bashrc'),
      old('.a.0123456789abcdef.part'),
      old('.a.01234567-1-89abcdef.0123456789abcdef.part'),
      partialName('link'),
      partialName('directory'),
      partialName('young'),
    ]
    symlinkSync('/etc/passwd', join(root, kept.at(-3) ?? ''))
    mkdirSync(join(root, kept.at(-2) ?? ''))
    writeFileSync(join(root, kept.at(-1) ?? ''), 'x')
    const { env, log } = environment()
    const store = await openStore(configFor(service, root), env)
    await vi.waitFor(() => expect(log).toHaveLength(swept.length))
    await store.close()
    expect(namesIn(root)).toEqual(kept.toSorted())
  })

  it('stays when sweeping is switched off, or the store is closed at once', async () => {
    const root = directory()
    const path = join(root, partialName('a'))
    writeFileSync(path, 'x')
    handOver(service, path)
    utimesSync(path, 1, 1)
    const off = await openStore(configFor(service, root, { staleUploadMs: false }))
    await off.write('b', streamOf('x'), writing())
    await off.close()
    const { env, log } = environment()
    const closed = await openStore(configFor(service, root), env)
    await closed.close()
    expect(namesIn(root)).toHaveLength(2)
    expect(log).toEqual([])
  })

  it('delays nothing and fails nothing when the server cannot be reached, but is told', async () => {
    const { env, log } = environment()
    const store = await openStore(configFor(service, '/nowhere', { port: 1 }), env)
    await vi.waitFor(() => expect(log).toHaveLength(1))
    expect(log[0]?.message).toBe('could not look for what interrupted uploads left')
    expect(await failureOf(store.write('a', streamOf('x'), writing()))).toMatchObject({ code: 'unavailable' })
    await store.close()
  })
})
