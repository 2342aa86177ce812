import { FLAVOURS, type Flavour, type FrontStep, type IdentityStep, type Step, STEPS } from './flavours.ts'

/** A list of steps, understood. */
export interface Pipeline {
  /** In the order in which requests pass them. */
  readonly front: readonly FrontStep[]
  /** Undefined: nobody is asked who they are. */
  readonly identity: IdentityStep | undefined
  readonly caching: boolean
  readonly cacheManagement: boolean
}

/** The steps of the flavour, unless they are listed one by one. Those of a list have been checked by `stepProblems`. */
export function pipelineOf({
  flavour,
  steps = FLAVOURS[flavour],
}: {
  readonly flavour: Flavour
  readonly steps?: readonly Step[] | undefined
}): Pipeline {
  return {
    front: steps.filter(isFront),
    identity: steps.find(isIdentity),
    caching: steps.includes('cache'),
    cacheManagement: steps.includes('cachemanage'),
  }
}

/** What is wrong with a list of steps, and what to do about it; empty when it can be used. */
export function stepProblems(steps: readonly Step[]): readonly string[] {
  const repeated = steps.filter((step, at) => steps.indexOf(step) !== at).map((step) => `${step}: listed twice`)
  return [...repeated, ...missing(steps), ...misplaced(steps)]
}

const isFront = (step: Step): step is FrontStep =>
  ['cors', 'healthcheck', 'http_proxy_to_wsgi', 'gzip', 'versionnegotiation'].includes(step)
const isIdentity = (step: Step): step is IdentityStep => ['authtoken', 'tokens', 'trusted'].includes(step)

function missing(steps: readonly Step[]): string[] {
  const identities = steps.filter(isIdentity)
  const isOpen = steps.includes('unauthenticated-context')
  const problems: string[] = []
  if (!steps.includes('app')) problems.push('app is missing: put it at the end')
  if (!steps.includes('context') && !isOpen) {
    problems.push('a context is missing: put authtoken, tokens or trusted and then context before app')
  }
  if (steps.includes('context') && isOpen) problems.push('of context and unauthenticated-context only one can be there')
  if (steps.includes('context') && identities.length === 0) {
    problems.push('context: put authtoken, tokens or trusted before it, or use unauthenticated-context')
  }
  if (isOpen && identities.length > 0)
    problems.push(`${identities.join(', ')}: followed by context, not unauthenticated-context`)
  if (identities.length > 1) problems.push(`of ${identities.join(', ')} only one can be there`)
  if (steps.includes('cachemanage') && !steps.includes('cache')) problems.push('cachemanage: put cache before it')
  return problems
}

/** All orders are good in which the steps of the front come before the others, and those as in `STEPS`. */
function misplaced(steps: readonly Step[]): string[] {
  const rank = (step: Step): number => (isFront(step) ? 0 : STEPS.indexOf(step))
  const problems = steps.flatMap((step, at) => {
    const after = steps.slice(0, at).find((earlier) => rank(earlier) > rank(step))
    return after === undefined ? [] : [`${step}: put it before ${after}`]
  })
  const [health, versions] = [steps.indexOf('healthcheck'), steps.indexOf('versionnegotiation')]
  if (versions >= 0 && health > versions)
    problems.push('healthcheck: put it before versionnegotiation, which takes its path')
  return problems
}
