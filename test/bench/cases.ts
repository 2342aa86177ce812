import { bytes, drain, send } from './client.ts'
import type { Images } from './images.ts'

export interface Bench {
  readonly images: Images
  /** URL of the floor. */
  readonly floor: string
  /** Bytes of the big image. */
  readonly size: number
  readonly records: number
}

/** Both sides do the same amount of work and resolve with it: bytes or requests. */
export interface Case {
  readonly name: string
  readonly unit: 'bytes' | 'requests'
  /** Needs `records` images in the registry. */
  readonly populated?: boolean
  /** Rounds that are measured; unset: as the options say. */
  readonly once?: boolean
  prepare?(bench: Bench): Promise<void>
  mullion(bench: Bench): Promise<Work>
  floor(bench: Bench): Promise<Work>
}

/** `undo` is not part of the measured time. */
export interface Work {
  readonly amount: number
  readonly undo?: () => Promise<void>
}

const PARALLEL = 4
const REQUESTS = 500

export const CASES: readonly Case[] = [
  {
    name: 'create',
    unit: 'requests',
    once: true,
    async prepare({ images, floor }) {
      const id = await images.reserve('sample')
      await send({
        method: 'POST',
        url: `${floor}/replies/create`,
        body: JSON.stringify({ image: { id } }).padEnd(700),
      })
    },
    mullion: ({ images, records }) => repeat(records, (index) => images.reserve(`image-${index}`)),
    floor: ({ floor, records }) => repeat(records, () => send({ method: 'POST', url: `${floor}/reply/create` })),
  },
  showCase(),
  listCase(25, 100),
  listCase(1000, 10),
  {
    name: 'upload',
    unit: 'bytes',
    mullion: ({ images, size }) => uploads(images, 1, size, 'random'),
    floor: ({ floor, size }) => floorUploads(floor, 1, size, 'random'),
  },
  {
    name: `${PARALLEL} uploads at once`,
    unit: 'bytes',
    mullion: ({ images, size }) => uploads(images, PARALLEL, Math.ceil(size / PARALLEL), 'random'),
    floor: ({ floor, size }) => floorUploads(floor, PARALLEL, Math.ceil(size / PARALLEL), 'random'),
  },
  {
    name: 'download',
    unit: 'bytes',
    ...downloads('random'),
  },
]

const GIB = 1024 ** 3

/** Long runs that show whether memory grows with size or with the number of transfers. */
export const MEMORY_CASES: readonly Case[] = [
  {
    name: 'upload 8 GiB of zeros',
    unit: 'bytes',
    once: true,
    mullion: ({ images }) => uploads(images, 1, 8 * GIB, 'zeros'),
    floor: ({ floor }) => floorUploads(floor, 1, 8 * GIB, 'zeros'),
  },
  {
    name: 'download 8 GiB',
    unit: 'bytes',
    once: true,
    ...downloads('zeros', 8 * GIB),
  },
  {
    name: '16 uploads of 512 MiB at once',
    unit: 'bytes',
    once: true,
    mullion: ({ images }) => uploads(images, 16, GIB / 2, 'zeros'),
    floor: ({ floor }) => floorUploads(floor, 16, GIB / 2, 'zeros'),
  },
]

function showCase(): Case {
  let id = ''
  return {
    name: 'show',
    unit: 'requests',
    populated: true,
    async prepare({ images }) {
      id = await images.reserve('shown')
    },
    mullion: ({ images }) => repeat(REQUESTS, () => images.show(id)),
    floor: ({ floor }) => repeat(REQUESTS, () => send({ method: 'HEAD', url: `${floor}/reply/show` })),
  }
}

function listCase(limit: number, times: number): Case {
  const name = `list-${limit}`
  return {
    name: `list, page of ${limit}`,
    unit: 'requests',
    populated: true,
    async prepare({ images, floor }) {
      await send({ method: 'POST', url: `${floor}/replies/${name}`, body: await images.list(limit) })
    },
    mullion: ({ images }) => repeat(times, () => images.list(limit)),
    floor: ({ floor }) => repeat(times, () => send({ method: 'GET', url: `${floor}/reply/${name}` })),
  }
}

function downloads(kind: 'random' | 'zeros', fixed?: number): Pick<Case, 'prepare' | 'mullion' | 'floor'> {
  let id = ''
  return {
    async prepare({ images, floor, size }) {
      id = await images.upload(fixed ?? size, kind)
      await floorUpload(floor, 'download', fixed ?? size, kind)
    },
    mullion: async ({ images }) => ({ amount: await images.download(id) }),
    floor: async ({ floor }) => ({ amount: await drain(`${floor}/bytes/download`) }),
  }
}

async function uploads(images: Images, count: number, size: number, kind: 'random' | 'zeros'): Promise<Work> {
  const ids = await Promise.all(Array.from({ length: count }, () => images.upload(size, kind)))
  return {
    amount: count * size,
    undo: async () => void (await Promise.all(ids.map((id) => images.remove(id)))),
  }
}

async function floorUploads(floor: string, count: number, size: number, kind: 'random' | 'zeros'): Promise<Work> {
  const urls = await Promise.all(
    Array.from({ length: count }, (_, index) => floorUpload(floor, `${index}`, size, kind)),
  )
  return {
    amount: count * size,
    undo: async () => void (await Promise.all(urls.map((url) => send({ method: 'DELETE', url })))),
  }
}

async function floorUpload(floor: string, name: string, size: number, kind: 'random' | 'zeros'): Promise<string> {
  const url = `${floor}/bytes/${name}`
  await send({ method: 'PUT', url, headers: { 'content-length': size }, body: bytes(size, kind) })
  return url
}

/** One after the other: the figure is the latency a client sees. */
async function repeat(times: number, run: (index: number) => Promise<unknown>): Promise<Work> {
  for (let index = 0; index < times; index += 1) await run(index)
  return { amount: times }
}
