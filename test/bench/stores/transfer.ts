import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type AnyStore, createStores, type HashName, revealUri, type StoreMap, type StoreSpec } from 'mullion'

/** The program that is measured as mullion: reads a job from its standard input and prints the location. */
export interface Job {
  readonly plugin: 'file' | 'gcs' | 'http' | 'rbd' | 's3' | 'sftp' | 'swift'
  /** Of the plugin. */
  readonly config: unknown
  readonly file: string
  /** Unset: the default. */
  readonly hashes?: readonly HashName[]
  /** Key to add the file under, or location to fetch into it; with neither, the store is only opened. */
  readonly key?: string
  readonly location?: string
}

/** What the file costs is none of mullion's. */
const MEBIBYTE = { highWaterMark: 1024 ** 2 }

/** Loads the one that is needed: the others have dependencies of their own. */
const PLUGINS: Readonly<Record<Job['plugin'], (config: never) => Promise<StoreSpec<AnyStore>>>> = {
  file: async (config: never) => (await import('@mullion/file')).file(config),
  gcs: async (config: never) => (await import('@mullion/gcs')).gcs(config),
  http: async (config: never) => (await import('@mullion/http')).http(config),
  rbd: async (config: never) => (await import('@mullion/rbd')).rbd(config),
  s3: async (config: never) => (await import('@mullion/s3')).s3(config),
  sftp: async (config: never) => (await import('@mullion/sftp')).sftp(config),
  swift: async (config: never) => (await import('@mullion/swift')).swift(config),
}

const { plugin, config, file, hashes, key, location } = (await json(process.stdin)) as Job
const configured: StoreMap = { store: await PLUGINS[plugin](config as never) }
await using stores = await createStores({ stores: configured, default: 'store' })
if (key !== undefined) {
  const { size } = await stat(file)
  const added = await stores.add(key, () => createReadStream(file, MEBIBYTE), { size, ...(hashes && { hashes }) })
  console.log(revealUri(added.location))
} else if (location !== undefined) {
  const { body } = await stores.get(location)
  await pipeline(body, createWriteStream(file, MEBIBYTE))
}
