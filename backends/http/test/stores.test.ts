import type { RequestListener } from 'node:http'
import { collect, createStores, type StoreMap } from 'mullion'
import { describe, expect, it } from 'vitest'
import { http } from '../src/index.ts'
import { serving, someBytes, web } from './web.ts'

const bytes = someBytes(50_000)

const open = (allow: readonly string[] = ['127.0.0.1']) => {
  const stores: StoreMap = { web: http({ allow }) }
  return createStores({ stores, default: 'web', retry: { pause: async () => {} } })
}

/** Cuts the first answer in the middle; `etag` tells what each answer is. */
function cutting(etag: (request: number) => string): RequestListener {
  let count = 0
  return (request, response) => {
    const version = etag(count)
    count += 1
    if (count > 1) return serving(bytes, version)(request, response)
    response.writeHead(200, { 'Content-Length': bytes.length, ETag: version })
    response.write(bytes.subarray(0, 20_000), () => response.destroy())
  }
}

describe('http in createStores', () => {
  it('resumes a body that was cut where it broke off', async () => {
    await using site = await web(cutting(() => '"same"'))
    await using stores = await open()
    const { body, size } = await stores.get(site.url)
    expect(new Uint8Array(await collect(body))).toEqual(bytes)
    expect(size).toBe(50_000)
    expect(site.requests.map(({ headers }) => headers.range)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-/)])
  })

  it('does not join two versions of an object', async () => {
    await using site = await web(cutting((request) => `"${request}"`))
    await using stores = await open()
    const { body } = await stores.get(site.url)
    await expect(collect(body)).rejects.toMatchObject({ code: expect.any(String) as string })
  })

  it('cannot be written to', async () => {
    await using site = await web(serving(bytes))
    await using stores = await open()
    await expect(stores.add('id', bytes)).rejects.toMatchObject({ code: 'unsupported' })
    await expect(stores.delete(site.url)).rejects.toMatchObject({ code: 'unsupported' })
    expect(site.connections).toHaveLength(0)
  })

  it('refuses locations inside the network of the server, and shows none of their secrets', async () => {
    await using stores = await open([])
    for (const uri of [
      'http://u:secret@127.0.0.1/x?sig=secret',
      'http://u:secret@localhost/',
      'http://u:secret@2130706433/',
    ]) {
      const error: unknown = await stores.getSizeFromBackend(uri).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'invalid_location', retryable: false })
      expect(JSON.stringify(error) + String(error)).not.toMatch(/secret/)
    }
  })
})
