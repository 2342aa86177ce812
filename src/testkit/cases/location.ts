import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { revealUri } from '../../location.ts'
import { failureOf, type Scene, STORE } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

const SECRET = 'hunter2secret'

export const locationCases: readonly StoreCase[] = [
  {
    title: 'finds an object again by the text of its location alone',
    promise: 'format(parse(uri)) is uri for every URI the store produced, and the URI is all it takes',
    needs: ['content'],
    async run({ put, stores, spec, expectObject }) {
      const location = await put(40, 1000)
      const uri = revealUri(location)
      assert.equal(spec.location.format(spec.location.parse(uri)), uri)
      await expectObject(uri, 40, 1000)
      await expectObject({ uri, store: STORE }, 40, 1000)
      assert.equal(stores.getStoreFromLocation(uri), STORE)
      const scheme = uri.slice(0, uri.indexOf(':'))
      assert.ok(stores.getKnownSchemes().includes(scheme), `scheme ${scheme} is none of the store`)
    },
  },
  {
    title: 'gives objects of different keys different locations',
    promise: 'a location names one object',
    needs: ['write'],
    async run({ write, key, expectObject }) {
      const name = key()
      const keys = [name, `${name}.1`, `${name}-1`, `${name}_1`]
      const locations = []
      for (const [index, each] of keys.entries()) locations.push((await write(each, index, 100 + index)).location)
      assert.equal(new Set(locations.map(revealUri)).size, keys.length)
      for (const [index, location] of locations.entries()) await expectObject(location, index, 100 + index)
    },
  },
  {
    title: 'refuses malformed and hostile locations without repeating secrets',
    promise: 'what is no location of the store rejects with a code and names no secret',
    async run(scene) {
      for (const scheme of scene.spec.schemes) {
        for (const uri of hostileUris(scheme)) await refuses(scene, uri)
      }
    },
  },
  {
    title: 'refuses locations that climb out of it',
    promise: 'a location outside the store is not read, sized or deleted',
    needs: ['content'],
    async run(scene) {
      const location = await scene.put(41, 100)
      const uri = revealUri(location)
      const slash = uri.lastIndexOf('/') + 1
      const [place, name] = [uri.slice(0, slash), uri.slice(slash)]
      for (const climb of [
        '../',
        '../../',
        '%2e%2e/',
        '..%2f',
        '%2e%2e%2f',
        '..\\',
        `${'../'.repeat(20)}etc/passwd?`,
      ]) {
        const climbing = `${place}${climb}${name}`
        if (normal(climbing) !== normal(uri)) await refuses(scene, climbing)
      }
      await scene.expectObject(location, 41, 100)
    },
  },
  {
    title: 'answers unknown_scheme for a scheme it does not serve',
    promise: 'a location of another scheme is not its own',
    async run({ stores }) {
      const error = await failureOf(stores.get(`no-such-scheme://user:${SECRET}@host/path`))
      assert.ok(isMullionError(error, 'unknown_scheme'), `expected unknown_scheme, got ${String(error)}`)
      assert.ok(!printed(error).includes(SECRET), 'the error repeats a secret')
    },
  },
]

/** Nothing listens on port 1 of loopback, so a store that does connect is refused at once. */
function hostileUris(scheme: string): readonly string[] {
  return [
    `${scheme}://`,
    `${scheme}:///`,
    `${scheme}:////`,
    `${scheme}://..`,
    `${scheme}:///../../etc/passwd`,
    `${scheme}:///etc/passwd%00.img`,
    `${scheme}://127.0.0.1:1/../../etc/passwd`,
    `${scheme}://user:${SECRET}@127.0.0.1:1/a/b`,
    `${scheme}://user:${SECRET}/slash@127.0.0.1:1/a`,
    `${scheme}://user:%zz${SECRET}@127.0.0.1:1/%zz`,
    `${scheme}://127.0.0.1:1/kit?token=${SECRET}`,
    `${scheme}://127.0.0.1:1/kit#${SECRET}`,
    `${scheme}://127.0.0.1:1/new\nline`,
    `${scheme}://[::1`,
    `${scheme}://127.0.0.1:99999/kit`,
    `${scheme}://127.0.0.1:1/${'x'.repeat(10_000)}`,
  ]
}

async function refuses({ stores, soon }: Scene, uri: string): Promise<void> {
  const attempts = {
    get: () => stores.get(uri),
    getSizeFromBackend: () => stores.getSizeFromBackend(uri),
    delete: () => stores.delete(uri),
  }
  for (const [verb, attempt] of Object.entries(attempts)) {
    const what = `${verb} of ${JSON.stringify(uri.slice(0, 80))}`
    const error = await soon(failureOf(attempt(), what), what)
    assert.ok(isMullionError(error), `${what}: expected an error of mullion, got ${String(error)}`)
    assert.notEqual(error.code, 'internal', `${what}: ${error.message}`)
    assert.ok(!printed(error).includes(SECRET), `${what}: the error repeats a secret`)
  }
}

/** As WHATWG URL reads it: at the root of a host, `/../x` is `/x`. */
function normal(uri: string): string {
  return URL.canParse(uri) ? new URL(uri).href : uri
}

/** Message, context and stack: what ends up in logs. */
function printed(error: unknown): string {
  const { message, stack, context } = error as { message: string; stack?: string; context?: object }
  return `${message}\n${stack}\n${JSON.stringify(context)}`
}
