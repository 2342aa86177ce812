import { describe, expect, it } from 'vitest'
import { boundedCache } from '../../../src/auth/keystone/cache.ts'

describe('a bounded cache', () => {
  it('forgets a value at its moment', () => {
    const clock = { now: 0 }
    const cache = boundedCache<string>(2, () => clock.now)
    cache.set('a', 'A', 10)
    cache.set('late', 'L', 0)
    clock.now = 9
    expect([cache.get('a'), cache.get('late')]).toEqual(['A', undefined])
    clock.now = 10
    expect(cache.get('a')).toBeUndefined()
  })

  it('lets go of what was not used for the longest time', () => {
    const cache = boundedCache<number>(2, () => 0)
    cache.set('a', 1, 1)
    cache.set('b', 2, 1)
    cache.get('a')
    cache.set('c', 3, 1)
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3])
  })
})
