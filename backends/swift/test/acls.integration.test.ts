import { createStores } from 'mullion'
import { seededStream } from 'mullion/testkit'
import { afterAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { keystoneService, sandbox, type Service, UNIT, v1Service } from './support.ts'

const SIZE = 2 * UNIT + 1

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY', 'SWIFT_OTHER_USER', 'SWIFT_OTHER_KEY'],
  'swift.sh',
  'access lists of Swift with v1 auth',
  (env) => {
    const own = v1Service(env.SWIFT_AUTH_URL, env.SWIFT_USER, env.SWIFT_KEY)
    const other = v1Service(env.SWIFT_AUTH_URL, env.SWIFT_OTHER_USER, env.SWIFT_OTHER_KEY)
    const [account = ''] = env.SWIFT_OTHER_USER.split(':')
    lists(own, other, async () => account, true)
  },
)

describeWithService(
  [
    'SWIFT_KEYSTONE_PROXY_URL',
    'KEYSTONE_AUTH_URL',
    'KEYSTONE_USER',
    'KEYSTONE_PASSWORD',
    'KEYSTONE_PROJECT',
    'KEYSTONE_USER2',
    'KEYSTONE_PASSWORD2',
    'KEYSTONE_PROJECT2',
  ],
  'MULLION_SWIFT_KEYSTONE=1 swift.sh',
  'access lists of Swift with Keystone',
  (env) => {
    const url = env.KEYSTONE_AUTH_URL
    const own = keystoneService(url, env.KEYSTONE_USER, env.KEYSTONE_PASSWORD, env.KEYSTONE_PROJECT)
    const other = keystoneService(url, env.KEYSTONE_USER2, env.KEYSTONE_PASSWORD2, env.KEYSTONE_PROJECT2)
    const project = async (): Promise<string> => /AUTH_(\w+)$/.exec((await other.login()).storageUrl)?.[1] ?? ''
    lists(own, other, project, false)
  },
)

/** What another account may do with an image is asked with its own token, past the store. */
function lists(own: Service, other: Service, nameOfOther: () => Promise<string>, isV1: boolean): void {
  const box = sandbox(own)
  afterAll(() => box.remove())

  it('let another account read and write the image they name, segments included, and nobody else', async () => {
    const region = isV1 ? {} : { region: 'RegionOne' }
    const spec = box.store({ multiTenant: true, createContainer: false, staleUploadMs: false, ...region })
    const stores = await createStores({ stores: { s: spec }, default: 's' })
    const { location } = await stores.add('shared', seededStream(1, SIZE))
    const container = `${box.container}_shared`
    const { storageUrl } = await own.login()
    const { token } = await other.login()
    const ask = async (method: string, path: string, as: string | undefined): Promise<number> => {
      const headers = as === undefined ? {} : { 'x-auth-token': as }
      const answer = await fetch(`${storageUrl}/${container}${path}`, { method, headers })
      const { byteLength } = await answer.arrayBuffer()
      if (method === 'GET' && answer.status === 200) expect(byteLength).toBe(SIZE)
      return answer.status
    }
    const name = await nameOfOther()

    expect(await ask('GET', '/shared', token)).toBe(403)
    await stores.setAcls(location, { public: false, readers: [name], writers: [] })
    expect(await ask('GET', '/shared', token)).toBe(200)
    expect(await ask('PUT', '/added', token)).toBe(403)
    expect(await ask('GET', '/shared', undefined)).toBe(401)

    await stores.setAcls(location, { public: false, readers: [], writers: [name] })
    expect(await ask('GET', '/shared', token)).toBe(403)
    expect(await ask('PUT', '/added', token)).toBe(201)
    expect(await ask('DELETE', '/added', token)).toBe(204)

    await stores.setAcls(location, { public: true, readers: [], writers: [] })
    expect(await ask('GET', '/shared', token)).toBe(isV1 ? 403 : 200)
    expect(await ask('GET', '/shared', undefined)).toBe(401)

    await stores.setAcls(location, { public: false, readers: [], writers: [] })
    expect(await ask('GET', '/shared', token)).toBe(403)

    await stores.delete(location)
    expect(await box.list()).toEqual([])
    await stores.close()
  })

  it('refuse names that would be more than one, or a word of the list', async () => {
    const stores = await createStores({
      stores: { s: box.store({ multiTenant: true, staleUploadMs: false }) },
      default: 's',
    })
    const { location } = await stores.add('refusing', seededStream(1, 10))
    for (const reader of ['a,b', '.r:*', '*', 'a b', '']) {
      const set = stores.setAcls(location, { public: false, readers: [reader], writers: [] })
      await expect(set).rejects.toMatchObject({ code: 'invalid_argument' })
    }
    await stores.delete(location)
    await stores.close()
  })
}
