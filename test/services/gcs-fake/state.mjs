// Buckets and what is in them, upload sessions, rules, the log. Metadata in memory, bytes in files.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Fail, notFound, unmet } from './answers.mjs'
import { b64, crc32c } from './crc32c.mjs'

export const dir = process.argv[4] ?? '.'
const origin = `http://127.0.0.1:${process.argv[2]}`
const files = join(dir, 'objects')
export const state = { buckets: new Map(), sessions: new Map(), rewrites: new Map(), rules: [], log: [] }
let serial = 0

export function reset() {
  rmSync(files, { recursive: true, force: true })
  mkdirSync(files, { recursive: true })
  Object.assign(state, { buckets: new Map(), sessions: new Map(), rewrites: new Map(), rules: [], log: [] })
}

/** Takes one of the next rule of a kind that the request meets. */
export function ruleFor(kind, req) {
  const rule = state.rules.find(
    (r) => r.kind === kind && r.times > 0 && (!r.method || r.method === req.method) && req.url.startsWith(r.path),
  )
  if (rule && rule.after-- > 0) return undefined
  if (rule) rule.times--
  return rule
}

export const now = () => new Date().toISOString()
export const bucketOf = (name) =>
  state.buckets.get(name) ??
  (() => {
    throw notFound('The specified bucket does not exist.')
  })()
export function objectOf(bucket, name, q) {
  const o = bucketOf(bucket).objects.get(name)
  const g = q?.get('generation')
  if (!o || (g && g !== o.meta.generation)) throw notFound(`No such object: ${bucket}/${name}`)
  return o
}
export function preconditions(q, o, { read = false, prefix = 'if' } = {}) {
  const key = (k) => (prefix === 'if' ? 'if' + k : prefix + k)
  const gen = o ? o.meta.generation : '0',
    meta = o ? o.meta.metageneration : null
  const want = (k) => q.get(key(k))
  if (want('GenerationMatch') !== null && want('GenerationMatch') !== gen) throw unmet()
  if (want('MetagenerationMatch') !== null && want('MetagenerationMatch') !== meta) throw unmet()
  const no = read ? new Fail(304, 'notModified', '') : unmet()
  if (want('GenerationNotMatch') !== null && want('GenerationNotMatch') === gen) throw no
  if (want('MetagenerationNotMatch') !== null && want('MetagenerationNotMatch') === meta) throw no
}
async function sums(path) {
  const md5 = createHash('md5')
  let crc = 0,
    size = 0
  for await (const b of createReadStream(path, { highWaterMark: 1 << 20 })) {
    md5.update(b)
    crc = crc32c(b, crc)
    size += b.length
  }
  return { md5Hash: md5.digest('base64'), crc32c: b64(crc), size }
}
export const WRITABLE = [
  'contentType',
  'contentEncoding',
  'contentDisposition',
  'contentLanguage',
  'cacheControl',
  'customTime',
  'storageClass',
  'metadata',
]
export async function store(bucket, name, path, given, q, hash = {}, noMd5 = false) {
  const b = bucketOf(bucket)
  const s = await sums(path)
  for (const [k, label] of [
    ['md5Hash', 'MD5 hash'],
    ['crc32c', 'CRC32C'],
  ]) {
    const want = hash[k] ?? given[k]
    if (want && want !== s[k]) {
      rmSync(path, { force: true })
      throw new Fail(400, 'invalid', `Provided ${label} "${want}" doesn't match calculated ${label} "${s[k]}".`)
    }
  }
  const old = b.objects.get(name)
  try {
    preconditions(q, old)
  } catch (e) {
    rmSync(path, { force: true })
    throw e
  }
  const generation = String(Date.now() * 1000 + (serial++ % 1000))
  const t = now()
  const meta = {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation,
    metageneration: '1',
    contentType: 'application/octet-stream',
    storageClass: 'STANDARD',
    size: String(s.size),
    ...(!noMd5 && { md5Hash: s.md5Hash }),
    crc32c: s.crc32c,
    etag: Buffer.from(generation).toString('base64'),
    timeCreated: t,
    updated: t,
    timeStorageClassUpdated: t,
    selfLink: `${origin}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`,
    mediaLink: `${origin}/download/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?generation=${generation}&alt=media`,
  }
  for (const k of WRITABLE) if (given[k] !== undefined && given[k] !== null) meta[k] = given[k]
  b.objects.set(name, { meta, path })
  if (old) rmSync(old.path, { force: true })
  return meta
}
export const newFile = () => join(files, randomBytes(12).toString('hex'))
