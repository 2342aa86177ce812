import { MullionError } from 'mullion'
import { type ImageQuery, type ImageRegistry, memoryRegistry } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { type Walked, walk } from '../../src/cli/records/walk.ts'
import { oldImage } from './images.ts'

const { signal } = new AbortController()

async function collected(images: ImageRegistry, options = { signal }): Promise<readonly Walked[]> {
  return Array.fromAsync(walk(images, options))
}

async function registryOf(count: number): Promise<ImageRegistry> {
  const { images } = memoryRegistry()
  for (let number = 0; number < count; number += 1) await images.insert(oldImage({ name: `${number}` }))
  return images
}

/** A list fails as a whole when one of its images cannot be opened, as that of @mullion/sql does. */
function withSealed(images: ImageRegistry, isSealed: (name: string | undefined) => boolean): ImageRegistry {
  return {
    ...images,
    async list(query: ImageQuery) {
      const page = await images.list(query)
      const sealed = page.find(({ name }) => isSealed(name))
      if (!sealed) return page
      throw new MullionError('internal', 'not authentic', { details: {}, context: { imageId: sealed.id } })
    },
  }
}

describe('walk', () => {
  it.each([0, 1, 99, 100, 101, 205])('reads each of %i records once', async (count) => {
    const walked = await collected(await registryOf(count))
    expect(new Set(walked.map(({ id }) => id)).size).toBe(count)
    expect(walked).toHaveLength(count)
  })

  it('tells the records that cannot be opened, wherever they are, and reads on behind them', async () => {
    const images = withSealed(await registryOf(205), (name) => Number(name) % 100 === 4 || name === '0')
    const walked = await collected(images)
    expect(new Set(walked.map(({ id }) => id)).size).toBe(205)
    expect(walked.filter(({ kind }) => kind === 'unreadable')).toHaveLength(4)
  })

  it('tells those whose locations a list hides, and fails when it cannot ask why', async () => {
    const { images } = memoryRegistry()
    const location = { uri: 'file:///x', metadata: {}, status: 'active' } as const
    const { id } = await images.insert(oldImage({}, { locations: [location] }))
    const hiding = (get: ImageRegistry['get']): ImageRegistry => ({
      ...images,
      get,
      async list(query: ImageQuery) {
        const page = await images.list(query)
        return page.map((image) => ({ ...image, locations: [{ ...location, uri: 'sealed:unreadable#1' }] }))
      },
    })
    const failing = (code: 'internal' | 'unavailable') => () =>
      Promise.reject(new MullionError(code, 'not authentic', { details: {}, context: { imageId: id } }))
    const [sealed] = await collected(hiding(failing('internal')))
    expect(sealed).toMatchObject({ kind: 'unreadable', id, error: { message: 'not authentic' } })
    expect(await collected(hiding(images.get))).toMatchObject([{ kind: 'image', image: { locations: [location] } }])
    await expect(collected(hiding(failing('unavailable')))).rejects.toThrow('not authentic')
  })

  it('fails when the registry does', async () => {
    const { images } = memoryRegistry()
    const down = { ...images, list: () => Promise.reject(new MullionError('internal', 'down', { details: {} })) }
    await expect(collected(down)).rejects.toThrow('down')
  })

  it('ends when it is aborted', async () => {
    const images = await registryOf(205)
    const aborting = new AbortController()
    const read: string[] = []
    const reading = (async () => {
      for await (const { id } of walk(images, { signal: aborting.signal })) {
        read.push(id)
        aborting.abort()
      }
    })()
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    expect(read).toHaveLength(100)
  })
})
