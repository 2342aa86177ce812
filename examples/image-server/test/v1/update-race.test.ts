import { memoryRegistry } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { identity, md5, reserved, startServer } from './server.ts'

describe('PUT /v1/images/{id} while the image becomes active', () => {
  it.each([
    ['size', '1', 'member', 409],
    ['checksum', '0'.repeat(32), 'member', 409],
    ['name', 'new', 'member', 200],
    ['size', '1', 'admin', 200],
  ])('with %s %s by a %s is answered with %i', async (field, value, role, status) => {
    const records = memoryRegistry()
    let activate: (() => Promise<unknown>) | undefined
    const images: typeof records.images = {
      ...records.images,
      async update(...change) {
        await activate?.()
        return records.images.update(...change)
      },
    }
    const server = await startServer({ settings: { auth: 'trusted' }, ports: { ...records, images } })
    const id = await reserved(server, identity('t1'))
    await records.images.update(id, { status: 'saving' })
    activate = () => records.images.update(id, { status: 'active', size: 4, checksum: md5('data') })
    const headers = { ...identity('t1', role), [`x-image-meta-${field}`]: value }
    const answer = await server.call('PUT', `/v1/images/${id}`, headers)
    expect(answer.status, answer.octets).toBe(status)
    const forged = { size: 1 } // what administrators may do
    const expected = { size: 4, checksum: md5('data'), ...(role === 'admin' && forged) }
    expect(await server.image(id)).toMatchObject({ status: 'active', ...expected })
  })
})
