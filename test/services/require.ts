import { describe, it } from 'vitest'

/**
 * A suite that needs a service, with the settings that the service's script prints. Without them it is skipped with one
 * line that says so; with CI=true it fails, so that a suite cannot silently stop running there. `script` may begin with
 * a setting: `NAME=value x.sh`.
 */
export function describeWithService<const Name extends string>(
  env: readonly Name[],
  script: string,
  title: string,
  body: (settings: Readonly<Record<Name, string>>) => void,
): void {
  const missing = env.filter((name) => !process.env[name])
  if (missing.length === 0) {
    const settings = Object.fromEntries(env.map((name) => [name, process.env[name]]))
    describe(title, () => body(settings as Record<Name, string>))
    return
  }
  const [, setting = '', name = script] = /^(\w+=\S+ )?(.+)$/.exec(script) ?? []
  const path = name.includes('/') ? name : `test/services/${name}`
  const hint = `${title}: ${missing.join(', ')} not set; run: eval "$(${setting}bash ${path} up)"`
  if (process.env['CI'] === 'true') {
    describe(title, () => {
      it('has the service it needs', () => {
        throw new Error(hint)
      })
    })
    return
  }
  process.stderr.write(`skipped ${hint}\n`)
  describe.skip(title, () => {
    it('needs a service', () => {})
  })
}
