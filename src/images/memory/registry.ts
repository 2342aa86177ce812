import { MullionError } from '../../errors.ts'
import { type Image, type ImagePatch, idKey } from '../image.ts'
import type { Expectation, ImageQuery, ImageRegistry, MemberRegistry } from '../ports.ts'
import { type Members, memberRegistry } from './members.ts'
import { comparator, matcher } from './query.ts'

export interface MemoryRegistry {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
}

/** Records in the memory of this process: for tests, and for services that keep none. */
export function memoryRegistry(now: () => Date = () => new Date()): MemoryRegistry {
  const images = new Map<string, Image>()
  const members: Members = new Map()
  return { images: imageRegistry(images, members, now), members: memberRegistry(members, images) }
}

function imageRegistry(images: Map<string, Image>, members: Members, now: () => Date): ImageRegistry {
  const taken = new Set<string>()

  function find(id: string): Image {
    const image = images.get(id)
    if (image) return image
    throw new MullionError('not_found', `image ${id}: no such image`, {
      details: { location: id },
      context: { imageId: id },
    })
  }

  return {
    async insert(image) {
      if (taken.has(idKey(image.id))) {
        throw new MullionError('already_exists', `image ${image.id}: the id is taken`, {
          details: { key: image.id },
          context: { imageId: image.id },
        })
      }
      taken.add(idKey(image.id))
      images.set(image.id, image)
      return image
    },
    get: async (id) => find(id),
    async update(id, patch, expect) {
      const image = find(id)
      if (expect) check(image, expect)
      const changed = patched(image, patch, now())
      images.set(id, changed)
      if (patch.status === 'deleted') members.delete(id)
      return changed
    },
    list: async (query) =>
      page([...images.values()], query, (imageId, owner) => members.get(imageId)?.has(owner) === true),
    usage: async (owner, { except } = {}) => {
      const counted = [...images.values()].filter((image) => image.owner === owner && image.id !== except)
      return counted.reduce((bytes, image) => bytes + storedBytes(image), 0)
    },
  }
}

function check({ id, status, writer }: Image, { status: statuses, writer: expectedWriter }: Expectation): void {
  const isWriter = expectedWriter === undefined || expectedWriter === writer
  if (isWriter && statuses.includes(status)) return
  const expected = `${statuses.join(' or ')}${isWriter ? '' : ' by another writer'}`
  throw new MullionError('conflict', `image ${id}: is ${status}, expected ${expected}`, {
    details: { expected },
    context: { imageId: id },
  })
}

function storedBytes({ size = 0, status, locations }: Image): number {
  if (status === 'killed' || status === 'deleted') return 0
  return size * locations.filter((location) => location.status !== 'pending').length
}

function patched(image: Image, { properties, ...fields }: ImagePatch, now: Date): Image {
  const merged = new Map([...(properties?.purge ? [] : image.properties), ...(properties?.set ?? [])])
  const deletedAt = fields.deletedAt ?? image.deletedAt ?? now
  const gone = fields.status === 'deleted' ? { properties: new Map<string, string | null>(), tags: [], deletedAt } : {}
  const updatedAt = now > image.updatedAt ? now : image.updatedAt
  return { ...image, properties: merged, ...fields, ...gone, updatedAt }
}

function page(
  images: readonly Image[],
  query: ImageQuery,
  shared: (imageId: string, owner: string) => boolean,
): readonly Image[] {
  const { inScope, matches } = matcher(query, shared)
  const compare = comparator(query)
  const marker = images.find(({ id }) => id === query.marker)
  if (query.marker !== undefined && !marker) {
    throw new MullionError('invalid_argument', `marker: no image ${query.marker}`, {
      details: { name: 'marker' },
    })
  }
  const listed = images.filter((image) => {
    return inScope(image) && matches(image) && (!marker || compare(image, marker) > 0)
  })
  return listed.sort(compare).slice(0, query.limit)
}
