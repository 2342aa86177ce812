import { type Image, type ImageDraft, newImage } from 'mullion/images'

export const LONG_AGO: Date = new Date('2026-01-02T03:04:05.678Z')

/** A record that is older than any grace. */
export function oldImage(draft: ImageDraft = {}, rest: Partial<Image> = {}): Image {
  return { ...newImage(draft, LONG_AGO, () => crypto.randomUUID()), ...rest }
}

/** One record of every kind that a registry can hold, keyed by what it is. */
export function oneOfEach(): Readonly<Record<string, Image>> {
  const location = { uri: 's3://bucket/key', metadata: { store: 'cloud', bucket: 'b' }, status: 'active' } as const
  const properties = new Map([
    ['os', 'linux'],
    ['empty', null],
    ['__proto__', 'is a name like any other'],
    ['naïve', 'ünïcode 💿\nwith lines'],
  ])
  const full: ImageDraft = {
    name: 'everything',
    visibility: 'public',
    owner: 'tenant',
    size: 9_007_199_254_740_991,
    virtualSize: 0,
    checksum: 'd41d8cd98f00b204e9800998ecf8427e',
    hashAlgorithm: 'sha512',
    hashValue: 'ab'.repeat(64),
    diskFormat: 'qcow2',
    containerFormat: 'bare',
    minDisk: 3,
    minRam: 4,
    protected: true,
    properties,
    tags: ['b', 'a'],
  }
  return {
    full: oldImage(full, {
      status: 'active',
      locations: [location, { ...location, uri: 'https://user:secret@web/x' }],
    }),
    bare: oldImage(),
    killed: oldImage({}, { status: 'killed', reason: 'the disk was full' }),
    deactivated: oldImage({ size: 5 }, { status: 'deactivated', locations: [location] }),
    deleted: oldImage({ name: 'gone' }, { status: 'deleted', deletedAt: LONG_AGO }),
    waiting: oldImage(
      { size: 5 },
      { status: 'pending_delete', deletedAt: LONG_AGO, locations: [{ ...location, status: 'pending_delete' }] },
    ),
  }
}
