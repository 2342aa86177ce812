import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { swift, type SwiftConfig } from '@mullion/swift'
import { afterEach, describe, expect, it } from 'vitest'
import { type Account, pathOf } from '../src/account.ts'
import { createClient } from '../src/client.ts'
import { configSchema } from '../src/config.ts'
import { USUAL_LIMITS } from '../src/limits.ts'
import { limitsOf } from '../src/tools.ts'

type Answers = (request: IncomingMessage, response: ServerResponse) => void

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

/** A store on a server that answers what no real one can be made to. */
async function storeOn(answers: Answers, config: Partial<SwiftConfig> = {}) {
  const server = createServer((request, response) => {
    request.resume()
    if (request.url !== '/auth') return answers(request, response)
    response.writeHead(200, { 'x-auth-token': 't', 'x-storage-url': `${origin()}/v1/AUTH_a` }).end()
  })
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  const auth = { type: 'v1', url: `${origin()}/auth`, user: 'u', key: 'k' } as const
  const spec = swift({ auth, container: 'c', staleUploadMs: false, exclusiveWaitMs: 1, ...config })
  const store = await spec.open({ id: 's', now: Date.now, log: () => {} })
  open.push(async () => store.close())
  const at = { form: 'url', uri: '', storageUrl: `${origin()}/v1/AUTH_a`, container: 'c', object: 'o' } as const
  return { store, at }
}

const settings = () => configSchema.parse({ auth: { type: 'v1', url: 'http://h', user: 'u', key: 'k' } })
const { signal } = new AbortController()

describe('answers of Swift', () => {
  it('may take longer than the idle timeout, as long as something arrives', async () => {
    const { store, at } = await storeOn(
      ({ method }, response) => {
        if (method === 'HEAD') {
          response.writeHead(200, { 'content-length': '10', 'x-static-large-object': 'True' }).end()
          return
        }
        let blanks = 0
        const timer = setInterval(() => {
          blanks += 1
          if (blanks < 12) return void response.write(' ')
          clearInterval(timer)
          response.end('{"Response Status":"200 OK","Errors":[]}')
        }, 50)
      },
      { idleTimeoutMs: 300 },
    )
    await expect(store.remove(at, { signal })).resolves.toBeUndefined()
  })

  it('404 to a deletion that had to be repeated is the success of the first', async () => {
    let deletions = 0
    const { store, at } = await storeOn(({ method, socket }, response) => {
      if (method === 'HEAD') return void response.writeHead(200, { 'content-length': '10' }).end()
      deletions += 1
      if (deletions === 1) return void socket.resetAndDestroy()
      response.writeHead(404).end()
    })
    await expect(store.remove(at, { signal })).resolves.toBeUndefined()
    expect(deletions).toBe(2)
  })

  it('404 to the first deletion is what it says', async () => {
    const { store, at } = await storeOn(({ method }, response) => {
      response.writeHead(method === 'HEAD' ? 200 : 404, { 'content-length': '0' }).end()
    })
    await expect(store.remove(at, { signal })).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('the limits of a cluster', () => {
  it('are asked for again when it did not answer for good', async () => {
    let asked = 0
    const client = await createClient(settings())
    open.push(async () => client.close())
    const server = createServer((_request, response) => {
      asked += 1
      if (asked === 1) return void response.writeHead(503).end()
      response.writeHead(200).end('{"swift":{"max_file_size":7}}')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push(async () => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/AUTH_a`
    const limits = limitsOf(client, { storageUrl: async () => url } as unknown as Account)
    expect((await limits(signal)).maxFileSize).toBe(USUAL_LIMITS.maxFileSize)
    expect((await limits(signal)).maxFileSize).toBe(7)
    await limits(signal)
    expect(asked).toBe(2)
  })
})

describe('paths', () => {
  it.each(['..', '.', 'a/../b', 'a/./b', 'a/..'])('never hold the name %s, which would become another one', (name) => {
    expect(() => pathOf('c', name)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })

  it('hold every other name as it is', () => {
    expect(pathOf('c', 'a/..b/%2e%2e/c..')).toBe('/c/a/..b/%252e%252e/c..')
  })
})
