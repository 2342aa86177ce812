import { describe, expect, it } from 'vitest'
import { storageQuota } from '../../src/config/sections/limits.ts'
import { chunked, identity, RAW, reserved, startServer, uploaded } from './server.ts'

const trusted = (quota: number) => startServer({ settings: { auth: 'trusted', storageQuota: quota } })
const mine = { ...identity('t1', 'member'), ...RAW }
const text = (size: number, remaining: number): string =>
  `Denying attempt to upload image because it exceeds the quota: The size of the data ${size} will exceed the limit. ${remaining} bytes remaining.`

describe('the storage quota of an owner', () => {
  it.each([
    ['by its length', '12345', {}],
    ['in the middle of a chunked body', chunked('123', '45'), { 'transfer-encoding': 'chunked' }],
  ])('refuses an upload %s with 413 and kills the image, whose data is gone', async (_how, body, headers) => {
    const server = await trusted(10)
    await uploaded(server, '123456', mine)
    const answer = await server.call('POST', '/v1/images', { ...mine, ...headers }, body)
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining(text(5, 4))])
    const list = await server.call('GET', '/v1/images/detail?changes-since=2000-01-01', mine)
    expect(list.json.images.map(({ status }) => status).toSorted()).toEqual(['active', 'killed'])
    expect(await server.ports.images.usage('t1')).toBe(6)
  })

  it('lets in what fits, counts what was deleted no more, and other owners not at all', async () => {
    const server = await trusted(10)
    const first = await uploaded(server, '1234567890', mine)
    await uploaded(server, '1234567890', { ...identity('t2', 'member'), ...RAW })
    await server.call('DELETE', `/v1/images/${first}`, mine)
    await uploaded(server, '1234567890', mine)
  })

  it('counts for data that a PUT brings', async () => {
    const server = await trusted(3)
    const id = await reserved(server, {
      ...identity('t1', 'member'),
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
    })
    const answer = await server.call('PUT', `/v1/images/${id}`, mine, '1234')
    expect([answer.status, (await server.image(id)).status]).toEqual([413, 'killed'])
  })

  it('S-74: is kept by uploads that end at the same time', async () => {
    const server = await trusted(10)
    const body = chunked('1234')
    const upload = () => server.call('POST', '/v1/images', { ...mine, 'transfer-encoding': 'chunked' }, body)
    const answers = await Promise.all(Array.from({ length: 8 }, upload))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, ...Array(6).fill(413)])
    expect(await server.ports.images.usage('t1')).toBe(8)
  })
})

it.each([
  ['0', undefined],
  ['17', 17],
  ['10KB', 10_240],
  ['5 MB', 5 * 1024 ** 2],
  ['1 TB', 1024 ** 4],
])('user_storage_quota %j is %j bytes', (written, bytes) => {
  expect(storageQuota(written)).toBe(bytes)
})
