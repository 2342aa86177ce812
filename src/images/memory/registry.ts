import { MullionError } from '../../errors.ts'
import { type Image, type ImagePatch, idKey } from '../image.ts'
import type { ImageQuery, ImageRegistry, Member, MemberRegistry } from '../ports.ts'
import { comparator, matcher } from './query.ts'

export interface MemoryRegistry {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
}

/** Records in the memory of this process: for tests, and for services that keep none. */
export function memoryRegistry(now: () => Date = () => new Date()): MemoryRegistry {
  const images = new Map<string, Image>()
  const members = new Map<string, Member>()
  return { images: imageRegistry(images, members, now), members: memberRegistry(members) }
}

const memberKey = (imageId: string, member: string): string => `${imageId}\n${member}`

function imageRegistry(images: Map<string, Image>, members: Map<string, Member>, now: () => Date): ImageRegistry {
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
      if (expect && !expect.includes(image.status)) {
        throw new MullionError('conflict', `image ${id}: is ${image.status}, expected ${expect.join(' or ')}`, {
          details: { expected: expect.join(' or ') },
          context: { imageId: id },
        })
      }
      const changed = patched(image, patch, now())
      images.set(id, changed)
      if (patch.status === 'deleted') {
        for (const [key, member] of members) if (member.imageId === id) members.delete(key)
      }
      return changed
    },
    list: async (query) =>
      page([...images.values()], query, (imageId, owner) => members.has(memberKey(imageId, owner))),
  }
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

function memberRegistry(members: Map<string, Member>): MemberRegistry {
  return {
    find: async (imageId, member) => members.get(memberKey(imageId, member)),
    list: async (imageId) => [...members.values()].filter((member) => member.imageId === imageId),
    put: async (member) => void members.set(memberKey(member.imageId, member.member), member),
    async remove(imageId, member) {
      if (members.delete(memberKey(imageId, member))) return
      throw new MullionError('not_found', `image ${imageId}: no member ${member}`, { details: { location: member } })
    },
  }
}
