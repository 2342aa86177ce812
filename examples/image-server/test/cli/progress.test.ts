import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createOutput } from '../../src/cli/output.ts'
import { createProgress } from '../../src/cli/progress.ts'

function stream(isTTY: boolean): PassThrough & { readonly isTTY: boolean; readonly columns: number } {
  return Object.assign(new PassThrough(), { isTTY, columns: 20 })
}

const written = (to: PassThrough): string => (to.read() as Buffer | null)?.toString() ?? ''

describe('progress', () => {
  it('rewrites one line on a terminal, no longer than that, and leaves none behind', () => {
    const terminal = stream(true)
    let time = 0
    const progress = createProgress(terminal, false, () => time)
    progress.show(() => 'too early')
    time += 100
    progress.show(() => 'one of many images, of very many')
    time += 99
    progress.show(() => 'too early')
    time += 1
    progress.show(() => 'two')
    progress.clear()
    progress.clear()
    expect(written(terminal)).toBe('\r\u001b[Kone of many images,\r\u001b[Ktwo\r\u001b[K')
  })

  it('writes a plain line every ten seconds where nobody can rewrite it', () => {
    const pipe = stream(false)
    let time = 0
    const progress = createProgress(pipe, false, () => time)
    for (; time <= 25_000; time += 1_000) progress.show(() => `${time}`)
    progress.clear()
    expect(written(pipe)).toBe('10000\n20000\n')
  })

  it('is silent when it was told to be', () => {
    const terminal = stream(true)
    const progress = createProgress(terminal, true, () => Number.MAX_SAFE_INTEGER)
    progress.show(() => 'something')
    expect(written(terminal)).toBe('')
  })
})

describe('output', () => {
  it('says results to people or to machines, and notes without secrets to standard error', async () => {
    for (const json of [false, true]) {
      const [stdout, stderr] = [stream(false), stream(false)]
      const output = createOutput({ json, quiet: false, stdout, stderr })
      await output.say({ images: 3 }, 'three images')
      output.note('cannot reach https://user:hunter2@host/x\nin two lines')
      expect(written(stdout)).toBe(json ? '{"images":3}\n' : 'three images\n')
      expect(written(stderr)).toBe('mullion: cannot reach https://***@host/x\nmullion: in two lines\n')
    }
  })
})
