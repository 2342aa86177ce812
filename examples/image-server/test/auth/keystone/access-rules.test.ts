import { describe, expect, it } from 'vitest'
import { isAllowed } from '../../../src/auth/keystone/access-rules.ts'

const allows = (path: string, url: string, over: object = {}): boolean =>
  isAllowed([{ method: 'GET', path, service: 'image', ...over }], { method: 'GET', url, serviceType: 'image' })

describe('access rules of application credentials', () => {
  it.each([
    ['/v1/images', '/v1/images', true],
    ['/v1/images', '/v1/images?limit=1', true],
    ['/v1/images', '/v1/images#/detail', true],
    ['/v1/images', '/v1/images/', false],
    ['/v1/images', '/v1/images/x', false],
    ['/v1/images/*', '/v1/images/x', true],
    ['/v1/images/*', '/v1/images/', false],
    ['/v1/images/*', '/v1/images/x/members', false],
    ['/v1/images/{image_id}', '/v1/images/x', true],
    ['/v1/images/{image_id}/members', '/v1/images/x/members', true],
    ['/v1/images/{image_id}/members', '/v1/images/x/y/members', false],
    ['/v1/**', '/v1/images/x/members', true],
    ['/v1/**', '/v2/images', false],
    ['/v1/**/members', '/v1/images/x/members', true],
    ['/v1/images/a*z', '/v1/images/a-to-z', true],
    ['/v1/images/a.c', '/v1/images/abc', false],
    ['/v1/images/a+', '/v1/images/aa', false],
    ['/v1/images/{', '/v1/images/{', true],
    ['', '/v1/images', false],
  ])('%j for %j: %j', (path, url, expected) => {
    expect(allows(path, url)).toBe(expected)
  })

  it('are for one spelling of a path, and a written slash is none', () => {
    expect(allows('/v1/images/detail', '/v1/images/d%65tail')).toBe(true)
    expect(allows('/v1/images/größe', '/v1/images/gr%C3%B6%C3%9fe')).toBe(true)
    expect(allows('/v1/images/*/members', '/v1/images/x%2Fmembers')).toBe(false)
    expect(allows('/v1/images/%', '/v1/images/%25')).toBe(true)
    expect(allows('/v1/images/\ud800', '/v1/images/x')).toBe(false)
  })

  it('name a method and a service exactly', () => {
    expect(allows('/v1/images', '/v1/images', { method: 'POST' })).toBe(false)
    expect(allows('/v1/images', '/v1/images', { method: 'get' })).toBe(false)
    expect(allows('/v1/images', '/v1/images', { service: 'compute' })).toBe(false)
    expect(isAllowed([], { method: 'GET', url: '/v1/images', serviceType: 'image' })).toBe(false)
  })

  it('take no longer for a pattern that was made to be slow', () => {
    const begin = performance.now()
    expect(allows(`/${'**a'.repeat(40)}b`, `/${'a'.repeat(8_000)}`)).toBe(false)
    expect(performance.now() - begin).toBeLessThan(2_000)
  })
})
