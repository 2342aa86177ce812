import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const PROCESS = new URL('../src/process.ts', import.meta.url).href

describe('the process of librbd', () => {
  it('that cannot be started for want of file descriptors rejects calls, and the service goes on', () => {
    const code = `
      const { openSync } = await import('node:fs')
      const { LibrbdProcess } = await import(${JSON.stringify(PROCESS)})
      try { for (;;) openSync('/dev/null') } catch {}
      const crashes = []
      const started = new LibrbdProcess({ threads: 1, operationTimeoutMs: 1000, onCrash: (why) => crashes.push(why) })
      const error = await started.call('ping', {}).catch((thrown) => thrown)
      await new Promise((resolve) => setImmediate(resolve))
      await started.end()
      process.stdout.write(JSON.stringify([error.code, started.over, crashes.length]))`
    const node = [process.execPath, '--conditions=@mullion/source', '--input-type=module', '-e', code]
    const printed = execFileSync('sh', ['-c', 'ulimit -n 64 && exec "$@"', 'sh', ...node]).toString()
    expect(JSON.parse(printed)).toEqual(['unavailable', true, 1])
  })
})
