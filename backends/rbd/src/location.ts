import type { LocationCodec } from 'mullion'

/** Only an image: of the pool the store has. Otherwise a snapshot of an image anywhere. */
export interface RbdLocation {
  readonly image: string
  readonly at?: { readonly fsid: string; readonly pool: string; readonly namespace?: string; readonly snapshot: string }
}

/** The snapshot that new images get. */
export const SNAPSHOT = 'snap'

const FORM = /^rbd:\/\/([!-~]+)$/

/**
 * `rbd://image`, never percent-encoded, or `rbd://fsid/pool/image/snapshot`, each part percent-encoded, as Glance, Nova
 * and Cinder read them (glance_store, _drivers/rbd.py, StoreLocation). A namespace is part of the pool, as in Ceph's own
 * `pool/namespace`.
 */
export const rbdLocation: LocationCodec<RbdLocation> = {
  key: ({ image, at }) => (at === undefined || at.snapshot === SNAPSHOT ? image : undefined),
  parse(uri) {
    const [, path = ''] = FORM.exec(uri) ?? []
    const [first = '', ...rest] = path.split('/')
    if (first === '' || (rest.length !== 0 && rest.length !== 3)) {
      throw new Error('expected rbd://image or rbd://fsid/pool/image/snapshot in ASCII')
    }
    if (rest.length === 0) return { image: named(first) }
    const [place = '', image = '', snapshot = ''] = rest.map(decodeURIComponent)
    const [pool = '', namespace, ...more] = place.split('/')
    if (more.length > 0) throw new Error('expected pool or pool/namespace in the second part')
    return {
      image: named(image),
      at: {
        fsid: named(decodeURIComponent(first)),
        pool: named(pool),
        ...(namespace !== undefined && { namespace: named(namespace) }),
        snapshot: named(snapshot),
      },
    }
  },
  format({ image, at }) {
    if (!at) return `rbd://${image}`
    const place = at.namespace === undefined ? at.pool : `${at.pool}/${at.namespace}`
    return `rbd://${[at.fsid, place, image, at.snapshot].map(encode).join('/')}`
  },
}

/** As Python's `quote(part, '')`: also what `encodeURIComponent` leaves. */
function encode(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function named(part: string): string {
  // oxlint-disable-next-line no-control-regex -- they have no place in a name
  if (part === '' || part === '.' || part === '..' || /[/@\u0000-\u001f\u007f]/.test(part)) {
    throw new Error('a part of an rbd location is a name without slash, @ and control characters')
  }
  return part
}
