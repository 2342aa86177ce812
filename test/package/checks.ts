import { join } from 'node:path'
import { command } from './command.ts'

const root = join(import.meta.dirname, '../..')

/** What a change must pass before review. Slowest first: they run side by side. */
const CHECKS = ['test:unit', 'types', 'lint', 'knip', 'format:check'] as const

interface Outcome {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
}

const outcomes = await Promise.all(CHECKS.map(run))
const failed = outcomes.filter(({ ok }) => !ok).map(({ name }) => name)
console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

/** Runs one npm script and prints its output in one piece once it ends; the output of a passed check is left out. */
async function run(name: string): Promise<Outcome> {
  const begin = performance.now()
  const output = await command('npm', ['run', '--silent', name], { cwd: root }).then(
    () => undefined,
    (error: Error) => error.message,
  )
  const outcome = { name, ok: output === undefined, seconds: (performance.now() - begin) / 1000 }
  if (output !== undefined) console.log(output)
  console.log(`${outcome.ok ? 'ok    ' : 'FAILED'} ${name} (${outcome.seconds.toFixed(1)} s)`)
  return outcome
}
