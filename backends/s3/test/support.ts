import { randomUUID } from 'node:crypto'
import { S3 } from '@aws-sdk/client-s3'
import type { S3Config } from '../src/index.ts'

/** A server with credentials, as its script prints them. */
export interface Service {
  readonly vendor: 'ceph' | 'swift'
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const CEPH_ENV = ['S3_ENDPOINT', 'S3_REGION', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'] as const
export const SWIFT_ENV = ['SWIFT_S3_ENDPOINT', 'SWIFT_S3_REGION', 'SWIFT_S3_ACCESS_KEY', 'SWIFT_S3_SECRET_KEY'] as const

export function cephOf(env: Readonly<Record<(typeof CEPH_ENV)[number], string>>): Service {
  return {
    vendor: 'ceph',
    endpoint: env.S3_ENDPOINT,
    region: env.S3_REGION,
    accessKeyId: env.S3_ACCESS_KEY,
    secretAccessKey: env.S3_SECRET_KEY,
  }
}

export function swiftOf(env: Readonly<Record<(typeof SWIFT_ENV)[number], string>>): Service {
  return {
    vendor: 'swift',
    endpoint: env.SWIFT_S3_ENDPOINT,
    region: env.SWIFT_S3_REGION,
    accessKeyId: env.SWIFT_S3_ACCESS_KEY,
    secretAccessKey: env.SWIFT_S3_SECRET_KEY,
  }
}

export const MIB: number = 1024 ** 2

/** A bucket of its own, seen by the SDK rather than by the store. */
export interface Bucket {
  readonly name: string
  readonly s3: S3
  /** A store in it, with parts as small as S3 allows. */
  config(more?: Partial<S3Config>): S3Config
  /** Objects and unfinished uploads. */
  list(): Promise<readonly string[]>
  make(): Promise<void>
  /** With all that is in it. */
  remove(): Promise<void>
}

export function bucketOn(service: Service): Bucket {
  const { endpoint, region, accessKeyId, secretAccessKey } = service
  const name = `mullion-${randomUUID()}`
  const s3 = new S3({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const objects = async (): Promise<readonly string[]> => {
    const { Contents = [] } = await s3.listObjectsV2({ Bucket: name })
    return Contents.map(({ Key = '' }) => Key)
  }
  const uploads = async (): Promise<readonly { readonly Key: string; readonly UploadId: string }[]> => {
    const { Uploads = [] } = await s3.listMultipartUploads({ Bucket: name })
    return Uploads.map(({ Key = '', UploadId = '' }) => ({ Key, UploadId }))
  }
  return {
    name,
    s3,
    config: (more = {}) => ({ ...service, bucket: name, partSize: 5 * MIB, ...more }),
    async list() {
      return [...(await objects()), ...(await uploads()).map(({ Key, UploadId }) => `${Key}?uploadId=${UploadId}`)]
    },
    async make() {
      await s3.createBucket({ Bucket: name })
    },
    async remove() {
      for (const upload of await uploads()) await s3.abortMultipartUpload({ Bucket: name, ...upload })
      for (const Key of await objects()) await s3.deleteObject({ Bucket: name, Key })
      await s3.deleteBucket({ Bucket: name })
      s3.destroy()
    },
  }
}
