// The part of the XML API that signed URLs use
import { rmSync } from 'node:fs'
import { Fail, notFound } from './answers.mjs'
import { hashHeader, receive, text } from './bodies.mjs'
import { authorised, signed } from './credentials.mjs'
import { send } from './reads.mjs'
import { newFile, preconditions, state, store } from './state.mjs'
import { startSession } from './uploads.mjs'

export async function xmlApi(req, res, url, open) {
  const [, bucket, ...rest] = url.pathname.split('/').map(decodeURIComponent)
  const name = rest.join('/')
  if (url.searchParams.has('X-Goog-Algorithm')) signed(req, url)
  else if (!open && !authorised(req))
    throw Object.assign(new Fail(403, 'forbidden', 'Access denied.'), { xml: 'AccessDenied' })
  if (!state.buckets.has(bucket))
    throw Object.assign(notFound('The specified bucket does not exist.'), { xml: 'NoSuchBucket' })
  const q = new URLSearchParams()
  if (req.headers['x-goog-if-generation-match'] !== undefined)
    q.set('ifGenerationMatch', req.headers['x-goog-if-generation-match'])
  const meta = { contentType: req.headers['content-type'], metadata: {} }
  for (const [k, v] of Object.entries(req.headers)) if (k.startsWith('x-goog-meta-')) meta.metadata[k.slice(12)] = v
  const o = state.buckets.get(bucket).objects.get(name)
  if (req.method === 'POST' && req.headers['x-goog-resumable'] === 'start') {
    await text(req)
    return startSession(req, res, bucket, name, meta, q)
  }
  if (req.method === 'PUT') {
    const path = newFile()
    const { whole } = await receive(req, path)
    if (!whole) {
      rmSync(path, { force: true })
      return res.destroy()
    }
    const hash = hashHeader(req.headers['x-goog-hash'])
    if (req.headers['content-md5']) hash.md5Hash = req.headers['content-md5']
    const m = await store(bucket, name, path, meta, q, hash)
    return res
      .writeHead(200, {
        ETag: `"${m.etag}"`,
        'X-Goog-Generation': m.generation,
        'X-Goog-Hash': `crc32c=${m.crc32c},md5=${m.md5Hash}`,
        'Content-Length': 0,
      })
      .end()
  }
  if (!o) throw Object.assign(notFound('The specified key does not exist.'), { xml: 'NoSuchKey' })
  if (req.method === 'DELETE') {
    preconditions(q, o)
    rmSync(o.path, { force: true })
    state.buckets.get(bucket).objects.delete(name)
    return res.writeHead(204).end()
  }
  preconditions(q, o, { read: true })
  send(req, res, o)
}
