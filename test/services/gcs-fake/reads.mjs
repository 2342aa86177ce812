// Reading objects and listing them
import { createReadStream, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { receive } from './bodies.mjs'
import { bucketOf, newFile } from './state.mjs'

export function send(req, res, o) {
  const size = Number(o.meta.size)
  const head = {
    'Content-Type': o.meta.contentType,
    ETag: `"${o.meta.etag}"`,
    'Accept-Ranges': 'bytes',
    'Last-Modified': new Date(o.meta.updated).toUTCString(),
    'X-Goog-Generation': o.meta.generation,
    'X-Goog-Metageneration': o.meta.metageneration,
    'X-Goog-Stored-Content-Encoding': o.meta.contentEncoding ?? 'identity',
    'X-Goog-Stored-Content-Length': size,
    'X-Goog-Hash': [`crc32c=${o.meta.crc32c}`, o.meta.md5Hash && `md5=${o.meta.md5Hash}`].filter(Boolean).join(','),
    'X-Goog-Storage-Class': o.meta.storageClass,
    ...(o.meta.contentEncoding && { 'Content-Encoding': o.meta.contentEncoding }),
    ...(o.meta.cacheControl && { 'Cache-Control': o.meta.cacheControl }),
  }
  for (const [k, v] of Object.entries(o.meta.metadata ?? {})) head['X-Goog-Meta-' + k] = v
  // https://cloud.google.com/storage/docs/transcoding: unpacked for whoever does not accept gzip, and then without ranges
  if (o.meta.contentEncoding === 'gzip' && !/gzip/.test(req.headers['accept-encoding'] ?? '')) {
    const { 'Content-Encoding': _, ...unpacked } = head
    res.writeHead(200, { ...unpacked, Warning: '214 UploadServer gunzipped' })
    return res.end(gunzipSync(readFileSync(o.path)))
  }
  let from = 0,
    to = size
  const m = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '')
  if (m && (m[1] || m[2])) {
    if (m[1]) {
      from = Number(m[1])
      to = m[2] ? Math.min(size, Number(m[2]) + 1) : size
    } else from = Math.max(0, size - Number(m[2]))
    if (from >= size) {
      const t = 'Request range not satisfiable'
      return res
        .writeHead(416, {
          'Content-Range': `bytes */${size}`,
          'Content-Type': 'text/html; charset=UTF-8',
          'Content-Length': t.length,
        })
        .end(t)
    }
    Object.assign(head, { 'Content-Range': `bytes ${from}-${to - 1}/${size}` })
  }
  res.writeHead(head['Content-Range'] ? 206 : 200, { ...head, 'Content-Length': to - from })
  if (req.method === 'HEAD' || to === from) return res.end()
  createReadStream(o.path, { start: from, end: to - 1 })
    .on('error', () => res.destroy())
    .pipe(res)
}
export function list(bucket, q) {
  const prefix = q.get('prefix') ?? '',
    delimiter = q.get('delimiter') ?? ''
  const max = Number(q.get('maxResults') ?? 1000) || 1000
  const after = q.get('pageToken') ? Buffer.from(q.get('pageToken'), 'base64url').toString() : null
  const items = [],
    prefixes = new Set()
  let nextPageToken, last
  const names = [...bucketOf(bucket).objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const name of names) {
    if (!name.startsWith(prefix) || (after !== null && name <= after)) continue
    if (q.get('startOffset') && name < q.get('startOffset')) continue
    if (q.get('endOffset') && name >= q.get('endOffset')) continue
    const cut = delimiter ? name.indexOf(delimiter, prefix.length) : -1
    const common = cut < 0 ? null : name.slice(0, cut + delimiter.length)
    if (common && (prefixes.has(common) || (after !== null && after.startsWith(common)))) {
      last = name
      continue
    }
    if (items.length + prefixes.size >= max) {
      nextPageToken = Buffer.from(last).toString('base64url')
      break
    }
    if (common) prefixes.add(common)
    else items.push(bucketOf(bucket).objects.get(name).meta)
    last = name
  }
  return {
    kind: 'storage#objects',
    ...(items.length && { items }),
    ...(prefixes.size && { prefixes: [...prefixes] }),
    ...(nextPageToken && { nextPageToken }),
  }
}
export async function copyBytes(sources) {
  const path = newFile()
  await receive(
    (async function* () {
      for (const s of sources) yield* createReadStream(s)
    })(),
    path,
  )
  return path
}
