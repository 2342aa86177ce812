import { advance, type ImageEvent, type ImageStatus, nextStatus, TRANSITIONS } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../tiny-store.ts'
import { scene, STATUSES } from './scene.ts'

/** Glance's own table (glance/domain/__init__.py, valid_state_targets), written down a second time on purpose. */
const EXPECTED: Readonly<Record<ImageEvent, string>> = {
  //           queued  saving  uploading importing active killed deactivated pending_delete deleted
  upload: '     saving  -       -         -         -      -      -           -              -',
  stage: '      uploading -     -         -         -      -      -           -              -',
  import: '     importing -     importing -         -      -      -           -              -',
  activate: '   active  active  -         active    -      -      -           -              -',
  requeue: '    -       queued  queued    queued    -      -      -           -              -',
  kill: '       killed  killed  -         -         -      -      -           -              -',
  deactivate: ' -       -       -         -         deactivated - deactivated -              -',
  reactivate: ' -       -       -         -         active -      active      -              -',
  trash: '      -       -       -         -         pending_delete - -        -              -',
  restore: '    -       -       -         -         -      -      -           active         -',
  delete: '     deleted deleted deleted   deleted   deleted deleted deleted   deleted        -',
}

const PAIRS = Object.entries(EXPECTED).flatMap(([event, row]) =>
  row
    .trim()
    .split(/ +/)
    .map(
      (to, column) =>
        [event as ImageEvent, STATUSES[column] as ImageStatus, to === '-' ? undefined : (to as ImageStatus)] as const,
    ),
)

describe('the life of an image', () => {
  it('has 11 events and 9 statuses', () => {
    expect(Object.keys(TRANSITIONS)).toEqual(Object.keys(EXPECTED))
    expect(PAIRS).toHaveLength(99)
    expect(PAIRS.every(([, status]) => status !== undefined)).toBe(true)
  })

  it.each(PAIRS)('%s of %s leads to %s', async (event, status, to) => {
    expect(nextStatus(event, status)).toBe(to)
    await using set = await scene()
    const { id } = await set.image({}, { status })
    if (to === undefined) {
      expect(await failureOf(advance(set.ports, id, event))).toMatchObject({
        code: 'invalid_transition',
        message: `image ${id}: cannot ${event}: it is ${status}`,
        details: { event, status },
        context: { imageId: id },
      })
      expect((await set.get(id)).status).toBe(status)
    } else {
      expect((await advance(set.ports, id, event, { name: 'n' })).status).toBe(to)
      expect(await set.get(id)).toMatchObject({ status: to, name: 'n' })
    }
  })

  it('never leaves deleted', () => {
    for (const event of Object.keys(TRANSITIONS) as ImageEvent[]) expect(nextStatus(event, 'deleted')).toBeUndefined()
  })
})

describe('advance', () => {
  it('changes nothing when the status moved between reading and writing', async () => {
    await using set = await scene()
    const { id } = await set.image()
    const { images } = set.ports
    const slow = {
      ...images,
      async get(wanted: string) {
        const image = await images.get(wanted)
        await images.update(id, { status: 'deleted' })
        return image
      },
    }
    expect(await failureOf(advance({ images: slow }, id, 'upload', { name: 'x' }))).toMatchObject({ code: 'conflict' })
    expect(await set.get(id)).toMatchObject({ status: 'deleted', name: undefined })
  })

  it('rejects not_found for no image', async () => {
    await using set = await scene()
    expect(await failureOf(advance(set.ports, 'x', 'upload'))).toMatchObject({
      code: 'not_found',
      context: { imageId: 'x' },
    })
  })
})
