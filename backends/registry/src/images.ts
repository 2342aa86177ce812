import { isDeepStrictEqual } from 'node:util'
import type { Expectation, Image, ImagePatch, ImageRegistry } from 'mullion/images'
import type { Client } from './client.ts'
import { readImage, readListed, writeImage, writePatch } from './document.ts'
import { brokenAnswer, notFound } from './errors.ts'
import { imagePath, isAddress } from './path.ts'
import { listPath } from './query.ts'
import { accepted, codeOf, type Subject } from './reply.ts'
import type { Sealing } from './sealing.ts'

export function remoteImages(client: Client, sealing: Sealing): ImageRegistry {
  async function get(id: string): Promise<Image> {
    if (!isAddress(id)) throw notFound(`image ${id}`, id)
    const reply = await client.ask({ method: 'GET', path: imagePath(id), repeatable: true })
    return imageIn(accepted(reply, subject(id)), sealing)
  }

  return {
    get,
    /** The id and the time are the caller's, so an image that is there as it was sent is this one. */
    async insert(image) {
      const body = { image: writeImage(image, sealing) }
      const reply = await client.ask({ method: 'POST', path: '/images', body, repeatable: true })
      if (reply.uncertain && codeOf(reply) === 'already_exists') {
        const found = await get(image.id)
        if (isSame(found, image)) return found
      }
      return imageIn(accepted(reply, subject(image.id)), sealing)
    },
    async update(id, patch, expect) {
      if (!isAddress(id)) throw notFound(`image ${id}`, id)
      const repeatable = expect !== undefined && isRepeatable(patch, expect)
      const reply = await client.ask({
        method: 'PUT',
        path: imagePath(id),
        body: updateBody(id, patch, expect, sealing),
        headers: patch.properties?.purge ? { 'x-glance-registry-purge-props': 'true' } : {},
        repeatable,
      })
      if (reply.uncertain && codeOf(reply) === 'conflict') {
        const found = await get(id)
        if (bearsMarks(found, patch, expect?.writer)) return found
      }
      return imageIn(accepted(reply, { ...subject(id), expected: expect?.status.join(' or ') }), sealing)
    },
    async list(query) {
      const path = listPath(query)
      if (path === undefined) return []
      const reply = await client.ask({ method: 'GET', path, repeatable: true })
      const { images } = accepted(reply, { what: 'list', id: query.marker ?? '' }) as { readonly images?: unknown }
      if (!Array.isArray(images)) throw brokenAnswer('it answered a list that is none')
      return images.map((entry) => readListed(entry, sealing))
    },
    async usage(owner, { except } = {}) {
      if (!owner.isWellFormed()) return 0
      const parameters = new URLSearchParams(except === undefined ? { owner } : { owner, except })
      const reply = await client.ask({ method: 'GET', path: `/usage?${parameters.toString()}`, repeatable: true })
      const { usage } = accepted(reply, { what: 'usage', id: owner }) as { readonly usage?: unknown }
      if (typeof usage !== 'number' || usage < 0) throw brokenAnswer('it answered a usage that is none')
      return usage
    },
  }
}

function subject(id: string): Subject {
  return { what: `image ${id}`, id }
}

function imageIn(body: unknown, sealing: Sealing): Image {
  return readImage((body as { readonly image?: unknown } | undefined)?.image, sealing)
}

function updateBody(id: string, patch: ImagePatch, expect: Expectation | undefined, sealing: Sealing): object {
  return {
    image: writePatch(id, patch, sealing),
    ...(expect && { from_states: expect.status }),
    ...(expect?.writer !== undefined && { from_writer: expect.writer }),
  }
}

/**
 * Whether an update that is sent twice does what it does once: because it makes its own expectation untrue, or because
 * only the holder of a claim writes with that expectation, one thing after the other. Every other update is sent once,
 * as it could undo what somebody else wrote in between.
 */
function isRepeatable(patch: ImagePatch, { status, writer }: Expectation): boolean {
  return writer !== undefined || (patch.status !== undefined && !status.includes(patch.status))
}

/**
 * Whether the record shows that the patch was written, for a caller who only heard of a conflict that its own first
 * attempt may have caused. The data it brought, with its size and digests, or a claim it set are proof, whatever happened
 * to the status afterwards; otherwise everything has to be as the patch says.
 */
function bearsMarks(image: Image, patch: ImagePatch, writerBefore: string | undefined): boolean {
  const { properties, ...fields } = patch
  const { writer } = fields
  if (writer !== undefined && writer !== writerBefore && writer === image.writer) return true
  const has = (key: string): boolean => isDeepStrictEqual(image[key as keyof Image], fields[key as keyof typeof fields])
  const given = Object.keys(fields)
  if (fields.locations?.length && given.filter((key) => OF_DATA.has(key)).every(has)) return true
  return given.every(has) && [...(properties?.set ?? [])].every(([name, value]) => image.properties.get(name) === value)
}

const OF_DATA: ReadonlySet<string> = new Set<keyof Image>([
  'locations',
  'size',
  'checksum',
  'hashAlgorithm',
  'hashValue',
])

/** Properties and tags are sets. */
function isSame(a: Image, b: Image): boolean {
  const sorted = ({ properties, tags, ...rest }: Image): object => ({
    ...rest,
    properties: new Map([...properties].toSorted(([x], [y]) => (x < y ? -1 : 1))),
    tags: tags.toSorted(),
  })
  return isDeepStrictEqual(sorted(a), sorted(b))
}
