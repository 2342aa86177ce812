import { describe, expect, it } from 'vitest'
import { FLAVOURS, type Flavour, type Step, STEPS } from '../../src/pipeline/flavours.ts'
import { pipelineOf, stepProblems } from '../../src/pipeline/pipeline.ts'

const FRONT = ['cors', 'healthcheck', 'http_proxy_to_wsgi', 'versionnegotiation']

describe('flavours of the pipeline (Images v1 §1.4)', () => {
  it.each<[Flavour, string | undefined, boolean, boolean]>([
    ['', undefined, false, false],
    ['caching', undefined, true, false],
    ['cachemanagement', undefined, true, true],
    ['keystone', 'authtoken', false, false],
    ['keystone+caching', 'authtoken', true, false],
    ['keystone+cachemanagement', 'authtoken', true, true],
    ['trusted-auth', 'trusted', false, false],
    ['trusted-auth+cachemanagement', 'trusted', true, true],
    ['tokens', 'tokens', false, false],
    ['tokens+caching', 'tokens', true, false],
    ['tokens+cachemanagement', 'tokens', true, true],
  ])('%j asks %s, caches: %j, and has an API for that: %j', (flavour, identity, caching, cacheManagement) => {
    expect(pipelineOf({ flavour })).toEqual({ front: FRONT, identity, caching, cacheManagement })
    expect(stepProblems(FLAVOURS[flavour])).toEqual([])
  })

  it('are all there', () => {
    expect(Object.keys(FLAVOURS)).toHaveLength(11)
  })
})

describe('a list of steps', () => {
  it('decides the order of what comes first, and what there is at all', () => {
    const steps: Step[] = ['gzip', 'http_proxy_to_wsgi', 'healthcheck', 'tokens', 'context', 'cache', 'app']
    expect(stepProblems(steps)).toEqual([])
    expect(pipelineOf({ flavour: '', steps })).toEqual({
      front: ['gzip', 'http_proxy_to_wsgi', 'healthcheck'],
      identity: 'tokens',
      caching: true,
      cacheManagement: false,
    })
  })

  it.each<[readonly Step[], string]>([
    [[], 'app is missing: put it at the end'],
    [['authtoken', 'context'], 'app is missing: put it at the end'],
    [['app'], 'a context is missing: put authtoken, tokens or trusted and then context before app'],
    [['context', 'app'], 'context: put authtoken, tokens or trusted before it, or use unauthenticated-context'],
    [['context', 'authtoken', 'app'], 'authtoken: put it before context'],
    [['app', 'unauthenticated-context'], 'unauthenticated-context: put it before app'],
    [['authtoken', 'unauthenticated-context', 'app'], 'authtoken: followed by context, not unauthenticated-context'],
    [
      ['tokens', 'context', 'unauthenticated-context', 'app'],
      'of context and unauthenticated-context only one can be there',
    ],
    [['authtoken', 'trusted', 'context', 'app'], 'of authtoken, trusted only one can be there'],
    [['tokens', 'cache', 'context', 'app'], 'context: put it before cache'],
    [['tokens', 'context', 'cachemanage', 'app'], 'cachemanage: put cache before it'],
    [['tokens', 'context', 'cachemanage', 'cache', 'app'], 'cache: put it before cachemanage'],
    [['tokens', 'cors', 'context', 'app'], 'cors: put it before tokens'],
    [['tokens', 'context', 'app', 'gzip'], 'gzip: put it before tokens'],
    [
      ['versionnegotiation', 'healthcheck', 'unauthenticated-context', 'app'],
      'healthcheck: put it before versionnegotiation, which takes its path',
    ],
    [['cors', 'cors', 'unauthenticated-context', 'app'], 'cors: listed twice'],
  ])('%j is refused: %s', (steps, problem) => {
    expect(stepProblems(steps)).toContain(problem)
  })

  it('knows every step of every flavour', () => {
    expect(new Set([...Object.values(FLAVOURS).flat(), 'gzip'])).toEqual(new Set(STEPS))
  })
})
