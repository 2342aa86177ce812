import { bytes, drain, send } from './client.ts'

/** What the benchmarks ask of an image server, over Images API v1. */
export interface Images {
  /** Resolves with the id. */
  reserve(name: string): Promise<string>
  upload(size: number, kind: 'random' | 'zeros'): Promise<string>
  /** Bytes that came back. */
  download(id: string): Promise<number>
  show(id: string): Promise<void>
  /** The body of a page of the detailed list. */
  list(limit: number): Promise<string>
  remove(id: string): Promise<void>
}

const FORMATS = {
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
  'x-image-meta-is_public': 'True',
}

export function imagesAt(url: string): Images {
  const images = `${url}/v1/images`
  return {
    async reserve(name) {
      const { body } = await send({ method: 'POST', url: images, headers: { ...FORMATS, 'x-image-meta-name': name } })
      return created(body).id
    },
    async upload(size, kind) {
      const headers = {
        ...FORMATS,
        'x-image-meta-name': 'upload',
        'content-type': 'application/octet-stream',
        'content-length': size,
      }
      const image = created((await send({ method: 'POST', url: images, headers, body: bytes(size, kind) })).body)
      if (image.status !== 'active' || image.size !== size)
        throw new Error(`uploaded ${size} bytes, got ${image.status}`)
      return image.id
    },
    download: (id) => drain(`${images}/${id}`),
    async show(id) {
      await send({ method: 'HEAD', url: `${images}/${id}` })
    },
    async list(limit) {
      const { body } = await send({ method: 'GET', url: `${images}/detail?limit=${limit}` })
      const { length } = (JSON.parse(body) as { readonly images: readonly unknown[] }).images
      if (length !== limit) throw new Error(`expected a page of ${limit} images, got ${length}`)
      return body
    },
    async remove(id) {
      await send({ method: 'DELETE', url: `${images}/${id}` })
    },
  }
}

function created(body: string): { readonly id: string; readonly status: string; readonly size: number } {
  return (
    JSON.parse(body) as { readonly image: { readonly id: string; readonly status: string; readonly size: number } }
  ).image
}
