import { randomUUID } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collect } from 'mullion'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testStore } from 'mullion/testkit'
import { describeWithService } from '../../../test/services/require.ts'
import { httpLocation } from '../src/location.ts'
import { http, type HttpConfig } from '../src/index.ts'
import { never, openStore, someBytes } from './web.ts'

const ENV = [
  'HTTP_URL',
  'HTTP_TLS_URL',
  'HTTP_CA',
  'HTTP_ROOT',
  'HTTP_USER',
  'HTTP_PASSWORD',
  'HTTP_FAULT_URL',
] as const

const allow = ['127.0.0.0/8', 'localhost']

async function stat(uri: string, config: HttpConfig = {}) {
  const store = await openStore({ allow, ...config })
  try {
    return await store.stat(httpLocation.parse(uri), { signal: never })
  } finally {
    await store.close()
  }
}

async function read(uri: string, offset = 0, length?: number, config: HttpConfig = {}) {
  const store = await openStore({ allow, ...config })
  let seen = 0
  try {
    const { body, size, etag } = await store.read(httpLocation.parse(uri), { offset, length, signal: never })
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      seen += chunk.length
      chunks.push(chunk)
    }
    return { bytes: new Uint8Array(Buffer.concat(chunks)), size, etag }
  } catch (error) {
    throw Object.assign(error as Error, { seen })
  } finally {
    await store.close()
  }
}

describeWithService(ENV, 'http.sh', 'http store with nginx', (service) => {
  const { HTTP_URL: plain, HTTP_TLS_URL: secure, HTTP_CA: ca } = service
  const bytes = someBytes(300_000)
  const name = `${randomUUID()}.img`
  const empty = `${randomUUID()}.img`
  const file = (key: string): string => join(service.HTTP_ROOT, key)

  beforeAll(async () => {
    await Promise.all([writeFile(file(name), bytes), writeFile(file(empty), '')])
  })
  afterAll(async () => {
    await Promise.all([rm(file(name)), rm(file(empty))])
  })

  const seeded: string[] = []
  testStore(
    { describe, it },
    {
      name: 'http (nginx)',
      open: () => http({ allow }),
      async seed(object) {
        const key = `${randomUUID()}.img`
        seeded.push(file(key))
        await writeFile(file(key), object)
        return `${plain}/${key}`
      },
      close: async () => void (await Promise.all(seeded.splice(0).map((path) => rm(path)))),
    },
  )

  it('tells size and validator, the same for both', async () => {
    const { size, etag } = await stat(`${plain}/${name}`)
    expect(size).toBe(300_000)
    expect(etag).toMatch(/^"/)
    expect(await read(`${plain}/${name}`)).toEqual({ bytes, size, etag })
  })

  it.each([
    [0, 1],
    [299_999, undefined],
    [65_535, 65_538],
    [299_990, 100],
    [300_000, 1],
    [400_000, undefined],
  ])('reads from %o, %o bytes, with and without the help of the server', async (offset, length) => {
    const wanted = bytes.subarray(offset, length === undefined ? undefined : offset + length)
    expect(await read(`${plain}/${name}`, offset, length)).toMatchObject({ bytes: wanted, size: 300_000 })
    expect(await read(`${plain}/norange/${name}`, offset, length)).toMatchObject({ bytes: wanted, size: 300_000 })
    expect((await read(`${plain}/chunked/${name}`, offset, length)).bytes).toEqual(wanted)
  })

  it('reads an empty object', async () => {
    expect(await stat(`${plain}/${empty}`)).toMatchObject({ size: 0 })
    expect(await read(`${plain}/${empty}`)).toMatchObject({ bytes: new Uint8Array(), size: 0 })
    expect(await read(`${plain}/${empty}`, 0, 5)).toMatchObject({ bytes: new Uint8Array(), size: 0 })
  })

  it('does not know the size of a chunked answer', async () => {
    expect((await stat(`${plain}/chunked/${name}`)).size).toBeUndefined()
    expect(await read(`${plain}/chunked/${name}`)).toMatchObject({ bytes, size: undefined })
  })

  it('signs in with the credentials of the location', async () => {
    const { HTTP_USER: user, HTTP_PASSWORD: password } = service
    const at = (credentials: string): string => `${plain.replace('//', `//${credentials}`)}/auth/${name}`
    expect(await stat(at(`${user}:${password}@`))).toMatchObject({ size: 300_000 })
    expect((await read(at(`${user}:${password}@`))).bytes).toEqual(bytes)
    await expect(stat(at(`${user}:wrong@`))).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(read(at(''))).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  it.each(['redirect', 'redirect301', 'redirect-chain', 'redirect-host'])('follows /%s/', async (path) => {
    expect(await stat(`${plain}/${path}/${name}`)).toMatchObject({ size: 300_000 })
    expect(await read(`${plain}/${path}/${name}`, 7, 70)).toMatchObject({ bytes: bytes.subarray(7, 77), size: 300_000 })
  })

  it('follows from http to https, not back', async () => {
    expect(await stat(`${plain}/redirect-tls/${name}`, { ca })).toMatchObject({ size: 300_000 })
    await expect(stat(`${secure}/redirect-plain/${name}`, { ca })).rejects.toMatchObject({ code: 'invalid_location' })
  })

  it('refuses a loop, and a redirect to a host that is not allowed', async () => {
    await expect(stat(`${plain}/redirect-loop/`)).rejects.toMatchObject({ code: 'invalid_location' })
    const narrow = { allow: [new URL(plain).host], deny: ['localhost'] }
    expect(await stat(`${plain}/${name}`, narrow)).toMatchObject({ size: 300_000 })
    await expect(stat(`${plain}/redirect-host/${name}`, narrow)).rejects.toMatchObject({ code: 'invalid_location' })
  })

  it('reaches nothing here unless told so', async () => {
    for (const uri of [plain, secure, plain.replace('127.0.0.1', 'localhost')]) {
      await expect(stat(uri, { allow: [] })).rejects.toMatchObject({ code: 'invalid_location' })
    }
  })

  it.each([
    [400, 'invalid_location'],
    [401, 'unauthenticated'],
    [403, 'permission_denied'],
    [404, 'not_found'],
    [410, 'not_found'],
    [429, 'rate_limited'],
    [500, 'unavailable'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
  ])('answers status %o with %s', async (status, code) => {
    await expect(stat(`${plain}/status/${status}`)).rejects.toMatchObject({ code })
    const details = status === 429 || status === 503 ? { afterMs: 1000 } : {}
    await expect(read(`${plain}/status/${status}`)).rejects.toMatchObject({ code, details })
  })

  describe('over TLS', () => {
    it('trusts the authority it was given, as file and as text', async () => {
      expect((await read(`${secure}/${name}`, 0, undefined, { ca })).bytes).toEqual(bytes)
      expect(await stat(`${secure}/${name}`, { ca: await readFile(ca, 'utf8') })).toMatchObject({ size: 300_000 })
    })

    it('trusts nobody else', async () => {
      await expect(stat(`${secure}/${name}`)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
      await expect(read(`${secure}/${name}`)).rejects.toThrow(/certificate/)
    })

    it('cannot be talked out of it by the environment', async () => {
      const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
      try {
        await expect(stat(`${secure}/${name}`)).rejects.toThrow(/certificate/)
      } finally {
        if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
        else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
      }
    })

    it('wants the certificate to be for the host', async () => {
      const store = await openStore({ ca }, () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]))
      const ask = (host: string) =>
        store.stat(httpLocation.parse(`${secure.replace('localhost', host)}/${name}`), { signal: never })
      expect(await ask('localhost')).toMatchObject({ size: 300_000 })
      await expect(ask('mirror.example')).rejects.toThrow(/certificate .* ERR_TLS_CERT_ALTNAME_INVALID/)
      await store.close()
    })
  })
})

describeWithService(ENV, 'http.sh', 'http store with a faulty server', (service) => {
  const SIZE = 1 << 20
  const at = (path: string): string => `${service.HTTP_FAULT_URL}/${path}`
  const quick = { responseTimeoutMs: 200, idleTimeoutMs: 200 }
  let right: Uint8Array
  beforeAll(async () => {
    right = (await read(at('ok'))).bytes
    expect(right).toHaveLength(SIZE)
  })

  it.each(['short', 'short-end', 'cut-once', 'reset?send=300000', 'chunked-cut'])(
    'notices the missing end: /%s',
    async (path) => {
      const key = `${path.includes('?') ? '&' : '?'}key=${randomUUID()}`
      const error: unknown = await read(at(path + key)).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'unavailable', retryable: true })
      expect((error as { seen: number }).seen).toBeLessThan(SIZE)
    },
  )

  // RFC 9112 §6.3: the announced bytes are the body. What follows them may break the connection before they are read
  it('hands out no more bytes than were announced', async () => {
    const outcome: unknown = await read(at('long')).catch((thrown: unknown) => thrown)
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'unavailable' })
    else expect(outcome).toMatchObject({ bytes: right })
  })

  it.each(['nolength', 'until-close'])('reads a body that only its end delimits: /%s', async (path) => {
    expect((await stat(at(path))).size).toBeUndefined()
    expect(await read(at(path))).toMatchObject({ bytes: right, size: undefined })
    expect((await read(at(path), 1000, 5000)).bytes).toEqual(right.subarray(1000, 6000))
  })

  it('says unavailable when the connection is reset before an answer', async () => {
    await expect(stat(at('reset'))).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(read(at('reset'))).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  })

  it('does not wait for ever for an answer', async () => {
    await expect(stat(at('hang'), quick)).rejects.toMatchObject({ code: 'timeout', details: { limitMs: 200 } })
    await expect(read(at('hang'), 0, undefined, quick)).rejects.toMatchObject({ code: 'timeout' })
  })

  it('does not wait for ever for the rest of a body', async () => {
    await expect(read(at('hang-body'), 0, undefined, quick)).rejects.toMatchObject({ code: 'timeout', seen: SIZE / 2 })
  })

  it('is patient with a slow server', async () => {
    const { bytes } = await read(at('trickle?size=10240&chunk=1024&ms=50'), 0, undefined, quick)
    expect(bytes).toHaveLength(10_240)
  })

  it('reads when the server has recovered', async () => {
    const uri = at(`fail?times=1&key=${randomUUID()}`)
    await expect(read(uri)).rejects.toMatchObject({ code: 'unavailable', retryable: true, details: { afterMs: 0 } })
    expect((await read(uri)).bytes).toEqual(right)
  })

  it('refuses other bytes than those asked for, and skips those it did not ask for', async () => {
    await expect(read(at('wrong-range'), 1000, 100)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    expect((await read(at('no-range'), 1000, 100)).bytes).toEqual(right.subarray(1000, 1100))
  })

  it('shows that an object has changed', async () => {
    const [one, two] = [await read(at('changes')), await read(at('changes'))]
    expect(one.etag).toMatch(/^"/)
    expect(one.etag).not.toBe(two.etag)
  })

  it('tells the size that GET has, when HEAD lies', async () => {
    expect(await stat(at('head-lies'))).toMatchObject({ size: SIZE })
    expect(await read(at('head-lies'))).toMatchObject({ size: SIZE / 2 })
  })

  it('finds the size without HEAD', async () => {
    expect(await stat(at('no-head'))).toMatchObject({ size: SIZE })
  })

  it('takes no compressed bytes for those of the object', async () => {
    await expect(stat(at('bad-gzip'))).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    await expect(read(at('bad-gzip'))).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it('knows what is no HTTP', async () => {
    await expect(stat(at('garbage'))).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    await expect(read(at('garbage'))).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it('reads many at once', async () => {
    const store = await openStore({ allow, maxConnections: 4 })
    const open = async (): Promise<number> => {
      const options = { offset: 0, length: undefined, signal: never }
      const { body } = await store.read(httpLocation.parse(at('ok')), options)
      return (await collect(body)).length
    }
    const sizes = await Promise.all(Array.from({ length: 20 }, open))
    expect(new Set(sizes)).toEqual(new Set([SIZE]))
    await store.close()
  })
})
