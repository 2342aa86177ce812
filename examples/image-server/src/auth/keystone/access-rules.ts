/** What an application credential may be used for (Identity API v3, "access_rules"). */
export interface AccessRule {
  readonly method: string
  readonly path: string
  /** Type of a service, such as `image`. */
  readonly service: string
}

export interface AccessQuestion {
  readonly method: string
  /** As in the request line, query included. */
  readonly url: string
  readonly serviceType: string
}

/** keystonemiddleware auth_token `validate_allowed_request`: one of the rules has to fit. */
export function isAllowed(rules: readonly AccessRule[], { method, url, serviceType }: AccessQuestion): boolean {
  const path = canonical(url.replace(/[?#].*$/s, ''))
  return rules.some((rule) => rule.service === serviceType && rule.method === method && matches(path, rule.path))
}

interface Step {
  accepts(character: string): boolean
  /** Any number of times, none included. */
  readonly repeats: boolean
}

const ANYTHING: Step = { accepts: () => true, repeats: true }
const IN_SEGMENT: Step = { accepts: (character) => character !== '/', repeats: false }

/**
 * `{name}` and `*` are one segment or a part of one, `**` is anything. Users write the patterns, so all ways through one
 * are followed at once: a regular expression could be made to try them one after another.
 */
function matches(path: string, pattern: string): boolean {
  const steps = stepsOf(pattern)
  let at = withSkipped(steps, new Set([0]))
  for (const character of path) {
    const next = new Set<number>()
    for (const index of at) {
      const step = steps[index]
      if (step?.accepts(character)) next.add(step.repeats ? index : index + 1)
    }
    if (next.size === 0) return false
    at = withSkipped(steps, next)
  }
  return at.has(steps.length)
}

function stepsOf(pattern: string): readonly Step[] {
  const parts = pattern.match(/\{[^}]*\}|\*\*|\*|[^{*]+|\{/g) ?? []
  return parts.flatMap((part) => {
    if (part === '**') return [ANYTHING]
    if (part === '*' || part.endsWith('}')) return [IN_SEGMENT, { ...IN_SEGMENT, repeats: true }]
    return canonical(part)
      .split('')
      .map((wanted) => ({ accepts: (character) => character === wanted, repeats: false }))
  })
}

function withSkipped(steps: readonly Step[], at: Set<number>): ReadonlySet<number> {
  for (const index of at) if (steps[index]?.repeats) at.add(index + 1) // what is added is visited too
  return at
}

/** One spelling for each path: a letter may be written as `%xx` too (RFC 3986 §6.2.2.2). A slash written so stays. */
function canonical(path: string): string {
  return path.toWellFormed().split('/').map(decoded).map(encodeURIComponent).join('/')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
