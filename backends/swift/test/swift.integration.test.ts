import { createHash } from 'node:crypto'
import { revealUri } from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { base, namesOf, open, sandbox, type Service, sizesOf, UNIT, v1Service } from './support.ts'

const SIZE = 3 * UNIT + 1

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  'swift.sh',
  'Swift',
  ({ SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY }) => {
    behaves(v1Service(SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY))
  },
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'radosgw',
  ({ RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY }) => {
    behaves(v1Service(RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY))
  },
)

function behaves(service: Service): void {
  const box = sandbox(service)
  const segments = `${box.container}_segments`
  afterAll(() => box.remove())

  describe('large objects', () => {
    it('are segments of the size that was configured, and a last one that is shorter', async () => {
      await using stores = await open(box)
      const { location } = await stores.add('large', seededStream(1, SIZE), { size: SIZE })
      const sizes = await sizesOf(box, segments, `mullion/${box.container}/large/`)
      expect(sizes).toEqual([UNIT, UNIT, UNIT, 1])
      const head = await box.fetch('HEAD', `/${box.container}/large`)
      expect(head.headers.get('x-static-large-object')).toBe('True')
      await stores.delete(location)
      expect(await sizesOf(box, segments, `mullion/${box.container}/large/`)).toEqual([])
    })

    it('are one object as long as they are no larger than configured', async () => {
      await using stores = await open(box, { largeObjectSize: SIZE })
      const { location } = await stores.add('whole', seededStream(2, SIZE), { size: SIZE })
      const head = await box.fetch('HEAD', `/${box.container}/whole`)
      expect(head.headers.get('x-static-large-object')).toBeNull()
      expect(head.headers.get('etag')?.replaceAll('"', '')).toBe(md5(seededBytes(2, SIZE)))
      await stores.delete(location)
    })

    it('never look complete when a segment is missing', { timeout: 120_000 }, async () => {
      await using stores = await open(box, { idleTimeoutMs: 5000 }, 1)
      const { location } = await stores.add('torn', seededStream(3, SIZE))
      const [first] = await namesOf(box, segments, `mullion/${box.container}/torn/`)
      const third = first?.replace(/1$/, '3') ?? ''
      expect((await box.fetch('DELETE', `/${segments}/${third}`)).status).toBe(204)
      const { body } = await stores.get(location)
      await expect(collect(body)).rejects.toMatchObject({
        code: expect.stringMatching(/unavailable|timeout/) as string,
      })
      await stores.delete(location)
      expect(await namesOf(box, segments, `mullion/${box.container}/torn/`)).toEqual([])
    })

    it('that Glance made of dynamic segments are read, and deleted with more segments than one listing holds', {
      timeout: 240_000,
    }, async () => {
      await box.fetch('PUT', `/${box.container}`)
      const names = Array.from({ length: 1003 }, (_, index) => `dlo-${String(index + 1).padStart(5, '0')}`)
      const queue = names.entries()
      const worker = async (): Promise<void> => {
        for (const [index, name] of queue) {
          const body = Uint8Array.from(seededBytes(4, 3, index * 3))
          await box.fetch('PUT', `/${box.container}/${name}`, { body })
        }
      }
      await Promise.all(Array.from({ length: 12 }, worker))
      const headers = { 'x-object-manifest': `${box.container}/dlo-` }
      await box.fetch('PUT', `/${box.container}/dlo`, { headers, body: '' })
      await using stores = await open(box)
      const location = `${await base(service)}/${box.container}/dlo`
      await using got = await stores.get(location, { offset: 2998 })
      await assertSeeded(got.body, { seed: 4, offset: 2998, length: 11 })
      await stores.delete(location)
      expect(await namesOf(box, box.container, 'dlo')).toEqual([])
    })
  })

  describe('copies', () => {
    it('of segments stay whole when the original goes', async () => {
      await using stores = await open(box)
      const { location } = await stores.add('original', seededStream(5, SIZE))
      const copy = await stores.copy(location, { to: 'tested', imageId: 'copied' })
      expect(copy.way).toBe('native')
      await stores.delete(location)
      await using got = await stores.get(copy.location)
      await assertSeeded(got.body, { seed: 5, length: SIZE })
      await stores.delete(copy.location)
      expect(await namesOf(box, segments, `mullion/${box.container}/copied/`)).toEqual([])
    })

    it('of one object are made by the server', async () => {
      await using stores = await open(box, { largeObjectSize: SIZE })
      const { location } = await stores.add('single', seededStream(6, SIZE), { size: SIZE })
      const copy = await stores.copy(location, { to: 'tested', imageId: 'single-copy' })
      expect(copy.way).toBe('native')
      await using got = await stores.get(copy.location)
      await assertSeeded(got.body, { seed: 6, length: SIZE })
      await stores.delete(copy.location)
      await stores.delete(location)
    })
  })

  describe('what a crash left behind', () => {
    it('is removed once it is old, and nothing else', async () => {
      const put = async (path: string): Promise<void> => {
        const answer = await box.fetch('PUT', `/${path}`, { body: 'x' })
        expect(answer.status).toBe(201)
      }
      const own = `mullion/${box.container}`
      await using stores = await open(box)
      const { location } = await stores.add('alive', seededStream(7, SIZE))
      await put(`${segments}/${own}/dead/1-a/00000001`)
      await put(`${segments}/${own}/dead/1-a/00000002`)
      await put(`${segments}/${own}/alive/1-b/00000001`)
      await put(`${segments}/${own}/foreign/1-c/00000001`)
      await put(`${segments}/${own}/dead.claim`)
      await put(`${segments}/other/dead/1-a/00000001`)
      await put(`${segments}/mullion/elsewhere/dead/1-a/00000001`)
      await put(`${segments}/mullion/elsewhere/dead.claim`)
      await put(`${box.container}/foreign`)

      const swept = async (later: number): Promise<readonly string[]> => {
        const spec = box.store({ staleUploadMs: 60_000 })
        const store = await spec.open({ id: 's', now: () => Date.now() + later, log: () => {} })
        const isSwept = (names: readonly string[]): boolean =>
          !names.some((name) => name.startsWith(own) && /\/dead|\/1-b\//.test(name))
        if (later > 0) await expect.poll(() => namesOf(box, segments, ''), { timeout: 20_000 }).toSatisfy(isSwept)
        await store.close()
        return namesOf(box, segments, '')
      }
      expect(await swept(0)).toContain(`${own}/dead/1-a/00000001`)
      const left = await swept(120_000)
      expect(left.filter((name) => !name.startsWith(`${own}/alive/`))).toEqual([
        'mullion/elsewhere/dead.claim',
        'mullion/elsewhere/dead/1-a/00000001',
        `${own}/foreign/1-c/00000001`,
        'other/dead/1-a/00000001',
      ])
      await using got = await stores.get(location)
      await assertSeeded(got.body, { seed: 7, length: SIZE })
      await stores.delete(location)
    })
  })

  describe('locations', () => {
    it('hold no secret, and name the object as it is', async () => {
      await using stores = await open(box)
      const { location } = await stores.add('named', seededBytes(1, 10))
      expect(revealUri(location)).toBe(`${await base(service)}/${box.container}/named`)
      await stores.delete(location)
    })

    it('with a reference are found wherever the account lies', async () => {
      await using stores = await open(box, { reference: 'images' })
      const { location } = await stores.add('referred', seededBytes(1, 10))
      expect(revealUri(location)).toBe(`swift+config://images/${box.container}/referred`)
      await expect(stores.get(`swift+config://other/${box.container}/referred`)).rejects.toMatchObject({
        code: 'invalid_location',
      })
      await stores.delete(location)
    })

    it('of a former endpoint are read at the present one', async () => {
      const former = 'https://old.example:8080/v1/AUTH_images'
      await using stores = await open(box, { formerStorageUrls: [former] })
      const { location } = await stores.add('moved', seededBytes(1, 10))
      expect(await stores.getSizeFromBackend(`swift+${former}/${box.container}/moved`)).toBe(10)
      await stores.delete(location)
    })

    it('with the credentials of Glance are read where the auth URL is known', async () => {
      if (service.auth.type !== 'v1') return
      const { url, user, key } = service.auth
      await using stores = await open(box)
      const { location } = await stores.add('legacy', seededBytes(1, 10))
      const legacy = (secret: string, at = url): string => {
        const credentials = `${encodeURIComponent(user).replaceAll('%3A', ':')}:${secret}`
        return `swift+${at.replace('://', `://${credentials}@`)}/${box.container}/legacy`
      }
      expect(await stores.getSizeFromBackend(legacy(key))).toBe(10)
      const wrong = stores.getSizeFromBackend(legacy('hunter2'))
      await expect(wrong).rejects.toMatchObject({ code: 'unauthenticated' })
      await expect(wrong).rejects.not.toThrow('hunter2')
      const elsewhere = stores.getSizeFromBackend(legacy(key, 'http://127.0.0.1:1/auth/v1.0'))
      await expect(elsewhere).rejects.toMatchObject({ code: 'invalid_location' })
      await stores.delete(location)
    })

    it('of another account or container are refused', async () => {
      await using stores = await open(box)
      const { location } = await stores.add('inside', seededBytes(1, 10))
      for (const uri of [
        `${(await base(service)).replace(/AUTH_\w+$/, 'AUTH_other')}/${box.container}/inside`,
        `${await base(service)}/${segments}/inside`,
        `${await base(service)}/elsewhere/inside`,
        `swift+http://127.0.0.1:1/v1/AUTH_x/${box.container}/inside`,
      ]) {
        await expect(stores.getSizeFromBackend(uri)).rejects.toMatchObject({ code: 'invalid_location' })
      }
      await stores.delete(location)
    })
  })

  it('spreads images over containers by the digits of their ids', async () => {
    await using stores = await open(box, { multipleContainersSeed: 2 })
    const { location } = await stores.add('AB12', seededStream(8, SIZE))
    expect(revealUri(location)).toContain(`/${box.container}_ab/AB12`)
    expect(await namesOf(box, `${box.container}_ab`, '')).toEqual(['AB12'])
    expect(await namesOf(box, `${box.container}_ab_segments`, '')).toHaveLength(4)
    await stores.delete(location)
  })

  it('says which container is missing where it may not make one', async () => {
    await using stores = await open(box, { container: `${box.container}-none`, createContainer: false })
    await expect(stores.add('x', seededStream(9, SIZE))).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(`${box.container}-none`) as string,
    })
  })

  it('leaves the object alone that another writer made at the last moment', async () => {
    await using stores = await open(box, { exclusiveWaitMs: false }, 1)
    const late = async function* (): AsyncGenerator<Uint8Array> {
      yield seededBytes(1, UNIT)
      await box.fetch('PUT', `/${box.container}/raced`, { body: 'winner' })
      yield seededBytes(1, UNIT + 1, UNIT)
    }
    await expect(stores.add('raced', late)).rejects.toMatchObject({ code: 'already_exists' })
    expect(await (await box.fetch('GET', `/${box.container}/raced`)).text()).toBe('winner')
    expect(await namesOf(box, segments, `mullion/${box.container}/raced`)).toEqual([])
  })
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const chunk of body) length += chunk.byteLength
  return length
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}
