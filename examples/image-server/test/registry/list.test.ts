import { describe, expect, it } from 'vitest'
import { type Call, type Registered, registered } from './client.ts'

const id = (number: number): string => `5d1c4bc0-0000-4000-8000-00000000000${number}`

interface Entry {
  readonly [key: string]: unknown
}

/** Inserts images in this order, one a second, whoever may see them. */
async function fill({ ports }: Registered, call: Call, images: readonly Entry[]): Promise<void> {
  for (const [index, image] of images.entries()) {
    const created_at = new Date(Date.UTC(2020, 0, 1, 0, 0, index))
    const body = { image: { id: id(index + 1), status: 'active', created_at, ...image } }
    const answer = await call('POST', '/images', body, { 'x-mullion-registry': '1' })
    if (answer.status !== 200) throw new Error(answer.text)
  }
  await ports.members.sharedWith('nobody')
}

async function numbers(call: Call, query: string): Promise<readonly number[]> {
  const answer = await call('GET', `/images?${query}`)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json.images.map((image) => Number(image.id.slice(-1)))
}

describe('a list', () => {
  it.each(['GET /images', 'GET /', 'POST /', 'DELETE /'])(
    '%s has a few fields of each image, newest first',
    async (route) => {
      const registry = await registered()
      const [method = '', path = ''] = route.split(' ')
      await fill(registry, registry.call, [
        { name: 'a', visibility: 'public', size: 3 },
        { name: 'b', visibility: 'public' },
      ])
      const { images } = (await registry.call(method, path)).json
      expect(images).toEqual([
        { id: id(2), name: 'b', size: null, disk_format: null, container_format: null, checksum: null },
        { id: id(1), name: 'a', size: 3, disk_format: null, container_format: null, checksum: null },
      ])
    },
  )

  it.each([
    ['name=a', [1]],
    ['name=eq:a', [1]],
    ['name=in:a,b', [2, 1]],
    ['name=in:"x,y",b', [3, 2]],
    ['name=in:"q\\"q"', [4]],
    ['name=ge:a', []],
    ['status=queued', [2]],
    ['disk_format=raw&container_format=bare', [1]],
    ['size_min=5&size_max=6', [3, 2]],
    ['min_ram=7', [3]],
    ['min_disk=8', [3]],
    ['protected=True', [4]],
    ['property-a=1', [1]],
    ['property-a=1&property-b=2', []],
    ['changes-since=2020-01-01T00:00:01Z', [4, 3]],
    ['limit=2', [4, 3]],
    ['limit=0', []],
    [`marker=${id(3)}`, [2, 1]],
    ['sort_key=name&sort_dir=asc', [1, 2, 4, 3]],
    ['sort_key=size&sort_dir=desc&limit=1', [3]],
    ['nonsense=1', [4, 3, 2, 1]],
  ])('?%s', async (query, expected) => {
    const registry = await registered()
    const visibility = 'public'
    await fill(registry, registry.call, [
      { visibility, name: 'a', disk_format: 'raw', container_format: 'bare', properties: { a: '1' } },
      { visibility, name: 'b', status: 'queued', size: 5 },
      { visibility, name: 'x,y', size: 6, min_ram: 7, min_disk: 8 },
      { visibility, name: 'q"q', protected: true },
    ])
    expect(await numbers(registry.call, query)).toEqual(expected)
  })

  it.each([
    ['limit=x', 'limit', 'limit param must be an integer'],
    ['limit=-1', 'limit', 'limit param must be positive'],
    ['marker=x', 'marker', 'Invalid marker format'],
    [`marker=${id(9)}`, 'marker', 'Invalid marker. Image could not be found.'],
    ['changes-since=x', 'changes-since', 'Unrecognized changes-since value'],
    ['protected=x', 'protected', 'protected must be True, or False'],
    ['is_public=x', 'is_public', 'is_public must be None, True, or False'],
    ['sort_dir=x', 'sort_dir', 'Unsupported sort_dir. Acceptable values: asc, desc'],
    ['size_min=x', 'size_min', 'Bad value passed to filter size_min got x'],
    ['name=in:"a', 'name', 'Invalid filter value "a. The quote is not closed.'],
    ['name=in:"a"b', 'name', 'Invalid filter value "a"b. There is no comma after closing quotation mark.'],
  ])('?%s is 400', async (query, name, message) => {
    const { call } = await registered()
    const answer = await call('GET', `/images/detail?${query}`, undefined, { accept: 'application/json' })
    expect(answer.status).toBe(400)
    expect(answer.json.error).toEqual({ code: 'invalid_argument', name, message })
  })

  it('shows everybody what is public, their own, or shared with them', async () => {
    const registry = await registered({ auth: 'trusted' })
    const admin = registry.as('admin', 'admin')
    await fill(registry, admin, [
      { visibility: 'public', owner: 'other' },
      { visibility: 'private', owner: 'other' },
      { visibility: 'private', owner: 'mine' },
      { visibility: 'private', owner: 'other' },
    ])
    await admin('PUT', `/images/${id(4)}/members/mine`)
    expect(await numbers(registry.as('mine'), '')).toEqual([4, 3, 1])
    expect(await numbers(registry.as('mine'), 'is_public=none&deleted=x')).toEqual([4, 3, 1])
    expect(await numbers(registry.as(undefined), '')).toEqual([1])
    expect(await numbers(admin, '')).toEqual([1])
    expect(await numbers(admin, 'is_public=True')).toEqual([1])
    expect(await numbers(admin, 'is_public=none')).toEqual([4, 3, 2, 1])
    expect(await numbers(admin, 'is_public=False')).toEqual([4, 3, 2])
    const hidden = await registry.as('mine')('GET', `/images?marker=${id(2)}`)
    expect(hidden.status).toBe(400)
  })

  it('shows deleted images to administrators who ask, and to those who follow changes', async () => {
    const registry = await registered({ auth: 'trusted' })
    const admin = registry.as('admin', 'admin')
    await fill(registry, admin, [
      { visibility: 'public' },
      { visibility: 'public' },
      { visibility: 'public', status: 'killed' },
    ])
    await admin('DELETE', `/images/${id(2)}`)
    expect(await numbers(admin, '')).toEqual([1])
    expect(await numbers(admin, 'deleted=true')).toEqual([2])
    expect(await numbers(admin, 'deleted=true&status=active')).toEqual([])
    expect(await numbers(registry.as('x'), 'deleted=true')).toEqual([1])
    expect(await numbers(registry.as('x'), 'changes-since=2021-01-01')).toEqual([2])
    expect(await numbers(admin, 'changes-since=2021-01-01&deleted=false')).toEqual([])
  })

  it('has 25 images unless it says otherwise, and never more than it may', async () => {
    const registry = await registered({ limitParamDefault: 2, apiLimitMax: 3 })
    await fill(
      registry,
      registry.call,
      Array.from({ length: 5 }, () => ({ visibility: 'public' })),
    )
    expect(await numbers(registry.call, '')).toHaveLength(2)
    expect(await numbers(registry.call, 'limit=4')).toHaveLength(3)
    const extended = await registry.call('GET', '/images/detail?limit=5', undefined, { 'x-mullion-registry': '1' })
    expect(extended.json.images).toHaveLength(5)
  })
})
