import type { RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { httpLocation } from '../src/location.ts'
import { never, openStore, serving, someBytes, web } from './web.ts'

const bytes = someBytes(1234)

async function stat(answer: RequestListener) {
  await using site = await web(answer)
  const store = await openStore()
  try {
    const result = await store.stat(httpLocation.parse(`${site.url}/x?y=z`), { signal: never })
    return { ...result, asked: site.requests.map(({ method, headers }) => [method, headers.range]) }
  } finally {
    await store.close()
  }
}

describe('stat', () => {
  it('asks for the headers only', async () => {
    expect(await stat(serving(bytes))).toEqual({ size: 1234, etag: '"v1"', asked: [['HEAD', undefined]] })
  })

  it.each([400, 403, 405, 501])('asks for one byte when HEAD is refused with %o', async (status) => {
    const answer: RequestListener = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(status, { 'Content-Encoding': 'gzip' }).end()
      else serving(bytes)(request, response)
    }
    const asked = [
      ['HEAD', undefined],
      ['GET', 'bytes=0-0'],
    ]
    expect(await stat(answer)).toEqual({ size: 1234, etag: '"v1"', asked })
  })

  it('asks for one byte when HEAD says no length', async () => {
    const answer: RequestListener = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(200, { 'Transfer-Encoding': 'chunked' }).end()
      else serving(bytes)(request, response)
    }
    expect(await stat(answer)).toMatchObject({ size: 1234 })
  })

  it('does not believe a length of 0 that comes from having no body', async () => {
    const answer: RequestListener = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(200, { 'Content-Length': 0 }).end()
      else serving(bytes)(request, response)
    }
    expect(await stat(answer)).toMatchObject({ size: 1234 })
  })

  it('knows an empty object from one of unknown size', async () => {
    expect(await stat(serving(new Uint8Array()))).toMatchObject({ size: 0 })
    expect(
      (
        await stat((_, response) => {
          response.write('x')
          response.end()
        })
      ).size,
    ).toBeUndefined()
  })

  it('takes the length of a server without ranges', async () => {
    const answer: RequestListener = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end()
      else response.writeHead(200, { 'Content-Length': 1e9 }).write('the beginning')
    }
    expect(await stat(answer)).toMatchObject({ size: 1e9 })
  })

  it('leaves a total that the server does not know unknown', async () => {
    const answer: RequestListener = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end()
      else response.writeHead(206, { 'Content-Range': 'bytes 0-0/*' }).end('x')
    }
    expect((await stat(answer)).size).toBeUndefined()
  })

  it.each([
    [404, 'not_found'],
    [401, 'unauthenticated'],
    [503, 'unavailable'],
  ])('answers status %o with %s and asks no more', async (status, code) => {
    let asked = 0
    const error: unknown = await stat((_, response) => {
      asked += 1
      response.writeHead(status).end()
    }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code })
    expect(asked).toBe(1)
  })

  it('answers with the error of GET when HEAD is refused', async () => {
    await expect(stat((_, response) => void response.writeHead(403).end())).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })

  it('refuses the length of compressed bytes', async () => {
    const headers = { 'Content-Encoding': 'gzip', 'Content-Length': 77 }
    await expect(stat((_, response) => void response.writeHead(200, headers).end())).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})
