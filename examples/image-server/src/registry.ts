#!/usr/bin/env node
import { nodeProblem } from './server/node-version.ts'

// Everything else is imported after the check: an old Node would fail inside a dependency instead, without a reason.
const problem = nodeProblem(process.versions.node)
if (problem === undefined) {
  const { run } = await import('./registry/run.ts')
  process.exitCode = await run(process.argv.slice(2), process.env)
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
