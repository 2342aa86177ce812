import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { containerOf, holdsImages, segmentsContainerOf } from '../src/containers.ts'
import { USUAL_LIMITS } from '../src/limits.ts'
import { segmentPlan } from '../src/plan.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3

describe('segment plan', () => {
  it('keeps the size that was configured as long as it does', () => {
    expect(segmentPlan(195 * GIB, 200 * MIB, USUAL_LIMITS)(0)).toBe(200 * MIB)
  })

  it('takes longer segments for an object that needs more than there may be', () => {
    const size = 4 * 1024 * GIB
    const each = segmentPlan(size, 200 * MIB, USUAL_LIMITS)(0)
    expect(Math.ceil(size / each)).toBeLessThanOrEqual(1000)
    expect(each).toBeLessThanOrEqual(5 * GIB)
  })

  it('fits the greatest object there can be', () => {
    expect(segmentPlan(5000 * GIB, 200 * MIB, USUAL_LIMITS)(0)).toBe(5 * GIB)
  })

  it('refuses an object that no segments hold', () => {
    expect(() => segmentPlan(5000 * GIB + 1, 200 * MIB, USUAL_LIMITS)).toThrow('larger than 1000 segments')
  })

  it('lets segments grow while the length is unknown, up to 4.5 TiB in all', () => {
    const sizeOf = segmentPlan(undefined, 200 * MIB, USUAL_LIMITS)
    const sizes = Array.from({ length: 1000 }, (_, index) => sizeOf(index))
    expect(sizes[0]).toBe(200 * MIB)
    expect(Math.max(...sizes)).toBe(5 * GIB)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(4.4 * 1024 * GIB)
    try {
      sizeOf(1000)
      expect.unreachable()
    } catch (error) {
      expect(isMullionError(error, 'too_large')).toBe(true)
    }
  })

  it('never makes a segment longer than the cluster takes', () => {
    const limits = { maxFileSize: MIB, maxSegments: 10 }
    expect(segmentPlan(undefined, 200 * MIB, limits)(9)).toBe(MIB)
    expect(segmentPlan(10 * MIB, 200 * MIB, limits)(9)).toBe(MIB)
  })
})

describe('container names', () => {
  const naming = { container: 'glance', multiTenant: false, multipleContainersSeed: 0, segmentsContainer: undefined }
  const id = '3F2A5B6C-12D4-4abc-9999-000000000000'

  it.each([
    [0, 'glance'],
    [1, 'glance_3'],
    [8, 'glance_3f2a5b6c'],
    [9, 'glance_3f2a5b6c-1'],
    [32, 'glance_3f2a5b6c-12d4-4abc-9999-000000000000'],
  ])('are those of Glance with seed %i', (multipleContainersSeed, name) => {
    expect(containerOf({ ...naming, multipleContainersSeed }, id)).toBe(name)
  })

  it('give each image its own with multiple tenants, segments included', () => {
    const multi = { ...naming, multiTenant: true }
    expect(containerOf(multi, id)).toBe(`glance_${id}`)
    expect(segmentsContainerOf(multi, `glance_${id}`)).toBe(`glance_${id}`)
    expect(segmentsContainerOf(naming, 'glance')).toBe('glance_segments')
  })

  it.each([
    ['glance', true],
    ['glance_3f', true],
    ['glance_segments', false],
    ['glances', false],
    ['other', false],
  ])('%s holds images: %s', (name, holds) => {
    expect(holdsImages(naming, name)).toBe(holds)
  })
})
