import type { LookupAddress } from 'node:dns'
import { type AnyStore, defineStore, memory, type StoreSpec } from 'mullion'
import { describe, expect, it } from 'vitest'
import type { Resolve } from '../../../../backends/http/src/agents.ts'
import { httpConfig } from '../../../../backends/http/src/config.ts'
import { httpLocation } from '../../../../backends/http/src/location.ts'
import { openHttp } from '../../../../backends/http/src/store.ts'
import { startServer, type TestServer } from '../v1/server.ts'
import { COPY, FORMATS, LOCATION, serving, SOURCE_HEADERS, startOrigin, work } from './scene.ts'

/** The http store with names of its own: nobody asks a real resolver. */
function resolvedBy(resolve: Resolve): StoreSpec<AnyStore> {
  const plugin = defineStore({
    name: 'http',
    schemes: ['http', 'https'],
    config: httpConfig,
    location: httpLocation,
    capabilities: { range: true },
    open: (config, env) => openHttp(config, env, resolve),
  })
  return plugin({ allow: ['127.0.0.1'] }) as StoreSpec<AnyStore>
}

const at = (...addresses: readonly string[]): readonly LookupAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

const startWith = (resolve: Resolve): Promise<TestServer> =>
  startServer({ stores: { memory: memory(), http: resolvedBy(resolve) } })

describe('S-60: a name whose address changes between the check and the connection', () => {
  it.each(SOURCE_HEADERS)('reaches only what was checked for that very connection: %s', async (header) => {
    const good = await startOrigin((request, response) => {
      response.setHeader('connection', 'close')
      serving('data')(request, response)
    })
    const inside = await startOrigin(serving('internal'), '127.0.0.2')
    let asked = 0
    const server = await startWith(async () => at((asked += 1) === 1 ? '127.0.0.1' : '127.0.0.2'))
    const uri = `http://rebinding.example:${good.port}/`
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })
    await work(server)
    if (answer.status === 201) {
      const data = await server.call('GET', `/v1/images/${answer.json.image.id}`)
      expect([data.status >= 400, data.text.includes('internal')]).toEqual([true, false])
    }
    expect(asked).toBeGreaterThan(1)
    expect([good.connections.length, inside.connections.length]).toEqual([1, 0])
  })

  it.each([
    ['one bad address among good ones', at('127.0.0.1', '10.0.0.1')],
    ['a good IPv4 and a bad IPv6 address', at('127.0.0.1', 'fd00::1')],
    ['an address in disguise', at('::ffff:169.254.169.254')],
    ['a zone', at('fe80::1%lo')],
    ['the address of a metadata service', at('169.254.169.254')],
    ['no address', at()],
  ])('is refused when it resolves to %s', async (_what, addresses) => {
    const good = await startOrigin(serving('data'))
    const server = await startWith(async () => addresses)
    for (const header of [LOCATION, COPY]) {
      const uri = `http://rebinding.example:${good.port}/`
      expect((await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })).status).toBe(400)
    }
    expect(good.connections).toEqual([])
  })
})
