import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { storeCases } from 'mullion/testkit'
import { expect, it } from 'vitest'

interface Report {
  readonly code: number | string | undefined
  readonly output: string
  /** A number of the summary. */
  readonly count: (what: string) => number
}

/** Runs the kit under node:test, on a memory store or on the broken one that is named. */
function nodeTest(name = '', pattern = '.*'): Promise<Report> {
  const fixture = fileURLToPath(new URL('node-runner.fixture.ts', import.meta.url))
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env
  const flags = ['--conditions=@mullion/source', '--test-reporter=tap', `--test-name-pattern=${pattern}`, fixture, name]
  return new Promise((resolve) => {
    execFile(process.execPath, flags, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`
      const count = (what: string): number =>
        Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? Number.NaN)
      resolve({ code: error ? (error.code ?? 1) : 0, output, count })
    })
  })
}

it('passes under node:test as well, and skips aloud', { timeout: 30_000 }, async () => {
  const { code, output, count } = await nodeTest()
  expect(output).toContain('# SKIP capability range is true')
  expect(count('fail')).toBe(0)
  expect(count('skipped')).toBeGreaterThan(0)
  expect(count('pass') + count('skipped')).toBeGreaterThan(storeCases.length)
  expect(code).toBe(0)
})

it('fails under node:test for a store that breaks a promise', { timeout: 30_000 }, async () => {
  const { code, output, count } = await nodeTest('lies about the size', 'knows its size')
  expect(output).toMatch(/not ok \d+ - reads an object byte for byte and knows its size/)
  expect(count('fail')).toBeGreaterThan(0)
  expect(code).toBe(1)
})
