import { spawnSync } from 'node:child_process'

/**
 * Whether the curl commands of `document` can be run. Where there is no curl they are skipped aloud; in CI they are not
 * skipped, and fail.
 */
export function hasCurlFor(document: string): boolean {
  if (spawnSync('curl', ['--version']).error === undefined || process.env['CI'] === 'true') return true
  console.log(`skipped: the curl commands of ${document}, because there is no curl (apt-get install curl)`)
  return false
}
