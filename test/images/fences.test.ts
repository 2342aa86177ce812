import { MullionError } from 'mullion'
import { type Ports, upload } from 'mullion/images'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failureOf } from '../tiny-store.ts'
import { cluster, content, frozen, halting, LEASE_MS, takeOverUpload } from './cluster.ts'

afterEach(() => void vi.useRealTimers())

describe('an upload whose end crosses with that of whoever takes it for dead', () => {
  /** Ends the upload of another process, which activates the image at one moment of that. */
  async function crossing(moment: 'after the image was read' | 'before its data is removed') {
    const { set, near, other } = await cluster()
    const { id } = await set.image()
    const { body, begun, goOn } = halting()
    const uploading = upload(frozen(set.ports), id, body, { onFailure: 'kill' }).catch((error: unknown) => error)
    await begun
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    const finish = async (): Promise<void> => {
      goOn()
      await uploading
    }
    const ports: Ports = {
      ...other,
      images: {
        ...other.images,
        async get(wanted) {
          const image = await other.images.get(wanted)
          if (moment === 'after the image was read') await finish()
          return image
        },
      },
      stores: {
        ...other.stores,
        async delete(location, options) {
          if (moment === 'before its data is removed') await finish()
          return other.stores.delete(location, options)
        },
      },
    }
    await takeOverUpload(ports)
    return { set, near, id }
  }

  it('keeps its data when it was first', async () => {
    const { set, near, id } = await crossing('after the image was read')
    await using _ = set
    expect(await set.get(id)).toMatchObject({
      status: 'active',
      locations: [{ uri: `tiny://${id}`, status: 'active' }],
    })
    expect(Buffer.compare(near.objects.get(id) ?? new Uint8Array(), content)).toBe(0)
  })

  it('leaves nothing when it was second', async () => {
    const { set, near, id } = await crossing('before its data is removed')
    await using _ = set
    expect(await set.get(id)).toMatchObject({ status: 'killed', locations: [] })
    expect(near.objects.size).toBe(0)
  })
})

describe('an upload that cannot tell whether it was recorded', () => {
  it('removes nothing when the record came true after all, and everything when it did not', async () => {
    for (const late of [true, false]) {
      const { set, near } = await cluster()
      await using _ = set
      const { id } = await set.image()
      const { images } = set.ports
      const commit: (() => Promise<unknown>)[] = []
      const update: typeof images.update = async (wanted, patch, expected) => {
        if (patch.status === 'active') {
          if (late) commit.push(() => images.update(wanted, patch, expected))
          throw new MullionError('unavailable', 'the connection was lost', { details: {} })
        }
        for (const run of commit.splice(0)) await run() // it reaches the database before whatever comes next
        return images.update(wanted, patch, expected)
      }
      await failureOf(upload({ ...set.ports, images: { ...images, update } }, id, content, { onFailure: 'kill' }))
      expect([(await set.get(id)).status, near.objects.has(id)]).toEqual(late ? ['active', true] : ['killed', false])
      vi.useRealTimers()
    }
  })
})
