import { inspect } from 'node:util'
import fc from 'fast-check'
import { createStores, memory, redactText, redactUri, revealUri } from 'mullion'
import { describe, expect, it } from 'vitest'
import { asRef, makeLocation, schemeOf } from '../src/location.ts'
import { failureOf } from './tiny-store.ts'

const SECRET = 'tOpSeCrEt'
const uri = `s3://key:${SECRET}@host:443/bucket/id`

describe('Location', () => {
  it('shows the redacted text wherever it is printed, and the whole text only when revealed', () => {
    const location = makeLocation('s3', 'cold', uri)
    for (const shown of [
      String(location),
      String([location]),
      JSON.stringify(location),
      inspect(location),
      inspect({ location }),
    ]) {
      expect(shown).toContain('s3://***@host:443/bucket/id')
      expect(shown).not.toContain(SECRET)
    }
    expect(revealUri(location)).toBe(uri)
  })

  it('cannot be changed', () => {
    const location = makeLocation('s3', 'cold', uri)
    expect(Object.isFrozen(location)).toBe(true)
    expect(Object.keys(location)).toEqual(['scheme', 'store'])
    expect(() => Object.assign(location, { store: 'other' })).toThrow(TypeError)
  })

  it('hides the secret from a copy by spread and from what lists its fields', () => {
    const location = makeLocation('s3', 'cold', uri)
    expect(JSON.stringify({ ...location })).not.toContain(SECRET)
    expect(inspect(location, { showHidden: true, depth: 5 })).not.toContain(SECRET)
  })

  it('is read from text, from a record and from itself', () => {
    const location = makeLocation('s3', 'cold', uri)
    expect(asRef(uri)).toEqual({ uri })
    expect(asRef({ uri, store: 'hot' })).toEqual({ uri, store: 'hot' })
    expect(asRef(location)).toEqual({ uri, store: 'cold' })
  })
})

describe('schemeOf', () => {
  it.each([
    ['file:///a', 'file'],
    ['HTTP://host', 'http'],
    ['swift+https://u:k@h/c/o', 'swift+https'],
  ])('finds the scheme of %s', (text, scheme) => {
    expect(schemeOf(text)).toBe(scheme)
  })

  it.each(['', 'a', 'file:/a', '://a', ' file:///a', '1x://a', 'a b://c'])('refuses %o', (text) => {
    expect(() => schemeOf(text)).toThrow(expect.objectContaining({ code: 'invalid_location' }))
  })
})

describe('redactUri', () => {
  it.each([
    ['memory://a', 'memory://a'],
    ['file:///images/a@b', 'file:///images/a@b'],
    ['http://host/a?X-Amz-Signature=x', 'http://host/a?***'],
    ['http://host/a#x', 'http://host/a?***'],
    ['swift://account:user:key@host/v1/c/o', 'swift://***@host/v1/c/o'],
    ['s3://key:se/cr@et/@host/bucket/id', 's3://***@host/bucket/id'],
    ['sftp://user@host/path', 'sftp://***@host/path'],
    ['user:pass@host', '***'],
    ['no scheme?secret', 'no scheme?***'],
  ])('makes %s into %s', (text, shown) => {
    expect(redactUri(text)).toBe(shown)
  })

  it.each([
    `s3://key:${SECRET}?x@host/b`,
    `s3://key:a#${SECRET}@host/b`,
    `http:///user:${SECRET}@host/`,
    `http://a@b:${SECRET}@host`,
  ])('hides a secret that breaks the grammar: %s', (text) => {
    expect(redactUri(text)).not.toContain(SECRET)
  })

  const noise = fc.string({ unit: fc.constantFrom(...Array.from('a:/?#@%&=.[]\\\n\t ')), maxLength: 8 })

  it('never shows user information or a query, whatever surrounds them', () => {
    const scheme = fc.constantFrom('http', 's3', 'swift+https', 'file')
    fc.assert(
      fc.property(scheme, noise, noise, noise, fc.boolean(), (name, before, after, path, inQuery) => {
        const text = inQuery
          ? `${name}://host/${path}?${before}${SECRET}${after}`
          : `${name}://user:${before}${SECRET}${after}@host/${path}`
        expect(redactUri(text)).not.toContain(SECRET)
      }),
    )
  })

  it('says nothing new when it is applied again', () => {
    fc.assert(
      fc.property(noise, noise, (user, path) => {
        const once = redactUri(`s3://u${user}@host/${path}`)
        expect(redactUri(once)).toBe(once)
      }),
    )
  })
})

describe('redactText', () => {
  it('redacts every URI in a message and nothing else', () => {
    const text = `GET "s3://k:${SECRET}@h/b" failed, then <http://h/x?sig=${SECRET}> at 10:30`
    expect(redactText(text)).toBe('GET "s3://***@h/b" failed, then <http://h/x?***> at 10:30')
  })
})

describe('a location of a store', () => {
  it('reads back from its recorded text and from the record with the store', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: memory() }, default: 'b' })
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,40}$/), async (key) => {
        const { location } = await stores.add(key, new Uint8Array([1]), { hashes: [] })
        const recorded = JSON.parse(JSON.stringify({ uri: revealUri(location), store: location.store }))
        expect(stores.getStoreFromLocation(recorded)).toBe('b')
        expect(await stores.getSizeFromBackend(recorded)).toBe(1)
        await stores.delete(recorded)
      }),
      { numRuns: 40 },
    )
  })

  it('leaks no secret of a hostile text through message, cause, JSON or inspection', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const hostile = [
      `memory://u:${SECRET}@h/x`,
      `gopher://u:${SECRET}@h`,
      `memory://x?sig=${SECRET}`,
      `u:${SECRET}@h`,
      `memory:///u:${SECRET}@h`,
    ]
    for (const text of hostile) {
      for (const call of [
        () => stores.get(text),
        () => stores.delete(text),
        () => stores.getSizeFromBackend({ uri: text, store: 'a' }),
      ]) {
        const error = (await failureOf(call())) as Error
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET)
        expect(JSON.stringify(error)).not.toContain(SECRET)
        expect(`${error.message}${error.stack}${String(error.cause)}`).not.toContain(SECRET)
      }
    }
  })
})
