const GIB = 1024 ** 3
const TIB = 1024 ** 4

/** What a service does its own way. Each fact is a key of the configuration too. */
export interface Facts {
  /** Undefined: the region of the environment, as the SDK finds it. */
  readonly region: string | undefined
  /** `https://host/bucket/key`, not `https://bucket.host/key`. */
  readonly pathStyle: boolean
  /** The digest that goes along with each part, for the service to verify. */
  readonly integrity: Integrity
  /** PutObject honours `If-None-Match: *`, and of two at the same time one fails. */
  readonly conditionalPut: boolean
  /** CompleteMultipartUpload does. */
  readonly conditionalComplete: boolean
  /** Copies honour `x-amz-copy-source-if-match`. */
  readonly copyIfMatch: boolean
  /** All parts but the last must have one size. */
  readonly equalParts: boolean
  /** Parts of one upload. */
  readonly maxParts: number
  /** Bytes of one object. */
  readonly maxSize: number
}

export type Integrity = 'crc32' | 'md5' | 'none'

export const VENDORS = ['aws', 'minio', 'ceph', 'swift', 'r2', 'other'] as const
export type Vendor = (typeof VENDORS)[number]

const COMPATIBLE: Facts = {
  region: 'us-east-1',
  pathStyle: true,
  integrity: 'md5',
  conditionalPut: false,
  conditionalComplete: false,
  copyIfMatch: false,
  equalParts: false,
  maxParts: 10_000,
  maxSize: 5 * TIB,
}

export const FACTS: Readonly<Record<Vendor, Facts>> = {
  // Amazon S3 User Guide: "Conditional writes", "Checking object integrity", "Amazon S3 multipart upload limits"
  aws: {
    ...COMPATIBLE,
    region: undefined,
    pathStyle: false,
    integrity: 'crc32',
    conditionalPut: true,
    conditionalComplete: true,
    copyIfMatch: true,
  },
  // minio/minio cmd/erasure-object.go and cmd/erasure-multipart.go judge the condition under the lock of the object
  minio: { ...COMPATIBLE, conditionalPut: true, conditionalComplete: true, copyIfMatch: true },
  // ceph/ceph src/rgw/driver/rados/rgw_rados.cc, _do_write_meta; RGWCompleteMultipart of 16 looks at no condition,
  // and src/rgw/rgw_rest_s3.cc, RGWCopyObj_ObjStore_S3::get_params reads x-amz-copy-if-match, which nobody sends
  ceph: { ...COMPATIBLE, conditionalPut: true },
  // openstack/swift: s3api answers 501 to a conditional PUT, takes one at Complete, and its object server judges it when
  // the request begins: both of two writers can pass. etc/proxy-server.conf-sample: max_upload_part_num = 1000.
  // A copy compares the ETag of a large object's manifest, which no answer ever tells
  swift: { ...COMPATIBLE, maxParts: 1000 },
  // Cloudflare R2 docs: "Limits", "Multipart upload", "S3 API compatibility" (Complete takes no condition)
  r2: {
    ...COMPATIBLE,
    region: 'auto',
    conditionalPut: true,
    copyIfMatch: true,
    equalParts: true,
    maxSize: 5 * TIB - 5 * GIB,
  },
  other: COMPATIBLE,
}

/** Whether of two writes of a key at the same time exactly one succeeds, whatever their size. */
export function isExclusive({ conditionalPut, conditionalComplete }: Facts): boolean {
  return conditionalPut && conditionalComplete
}
