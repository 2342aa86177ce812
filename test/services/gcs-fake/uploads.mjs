// Inserts: media, multipart, resumable
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { Fail, json } from './answers.mjs'
import { body, hashHeader, multipart, receive, text } from './bodies.mjs'
import { bucketOf, newFile, ruleFor, state, store } from './state.mjs'

const QUANTUM = 256 * 1024

export async function startSession(req, res, bucket, name, meta, q) {
  bucketOf(bucket) // the preconditions are judged when the upload ends (googleapis/google-cloud-java issue 201)
  const id = randomBytes(24).toString('base64url')
  state.sessions.set(id, {
    bucket,
    name,
    meta,
    q,
    path: newFile(),
    size: 0,
    busy: null,
    done: null,
    hash: hashHeader(req.headers['x-goog-hash']),
  })
  const host = req.headers.host
  const u = new URL(`http://${host}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`)
  u.searchParams.set('uploadType', 'resumable')
  u.searchParams.set('name', name)
  u.searchParams.set('upload_id', id)
  res.writeHead(200, { Location: u.href, 'X-GUploader-UploadID': id, 'Content-Length': 0 }).end()
}
/** One request at a time: a new one ends one that hangs in a broken connection. */
async function continueSession(req, res, id) {
  const s = state.sessions.get(id)
  if (!s) {
    req.resume()
    throw new Fail(404, 'notFound', 'Not Found')
  }
  while (s.busy) {
    s.busy.req.destroy()
    await s.busy.over
  }
  let end
  const over = new Promise((resolve) => {
    end = resolve
  })
  s.busy = { req, over }
  try {
    await continued(req, res, id, s)
  } finally {
    s.busy = null
    end()
  }
}
async function continued(req, res, id, s) {
  if (s.gone) {
    req.resume()
    throw new Fail(s.gone, 'clientClosedRequest', 'The upload was cancelled.')
  }
  if (req.method === 'DELETE') {
    s.gone = 499
    rmSync(s.path, { force: true })
    return res.writeHead(499, { 'Content-Length': 0 }).end()
  }
  if (s.done) {
    req.resume()
    return json(res, 200, s.done, { 'X-Goog-Stored-Content-Length': s.done.size })
  }
  const incomplete = () =>
    res
      .writeHead(308, {
        'X-GUploader-UploadID': id,
        'Content-Length': 0,
        ...(s.size && { Range: `bytes=0-${s.size - 1}` }),
      })
      .end()
  // a checksum may come with the request that ends the upload
  if (!ruleFor('nohash', req)) Object.assign(s.hash, hashHeader(req.headers['x-goog-hash']))
  const range = req.headers['content-range']
  let first = 0,
    total = null,
    last = null
  if (range !== undefined) {
    const m = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(range)
    if (!m) {
      req.resume()
      throw new Fail(400, 'badRequest', 'Failed to parse Content-Range header.')
    }
    total = m[3] === '*' ? null : Number(m[3])
    if (m[1] === undefined) {
      // a status query, or the end of an upload of known size
      await text(req)
      return total !== null && total === s.size ? finish(res, s) : incomplete()
    }
    first = Number(m[1])
    last = m[2] === '*' ? null : Number(m[2])
  } else {
    total = req.headers['content-length'] === undefined ? null : Number(req.headers['content-length'])
  }
  if (first > s.size) {
    await text(req)
    throw new Fail(503, 'backendError', 'Invalid request. There were gaps between the ranges of the upload.')
  }
  const rule = ruleFor('short', req)
  // bytes that are there already are skipped, as the service does
  const skip = s.size - first
  let skipped = 0
  const fresh = (async function* () {
    for await (const b of req) {
      if (skipped >= skip) {
        yield b
        continue
      }
      const cut = Math.min(b.length, skip - skipped)
      skipped += cut
      if (cut < b.length) yield b.subarray(cut)
    }
  })()
  const { n, whole } = await receive(fresh, s.path, s.size, rule ? rule.bytes : Infinity)
  const got = s.size + n
  const expected = last === null ? null : last + 1
  const complete =
    whole &&
    !rule &&
    (expected === null || got === expected) &&
    (total !== null ? got === total : range === undefined || (last === null && range.endsWith('/*')))
  // what is not the end of the object is kept in whole quanta only
  s.size = complete ? got : got - (got % QUANTUM)
  if (s.size !== got) truncateSync(s.path, s.size)
  const flip = ruleFor('flip', req)
  if (flip && n > 0) flipped(s.path)
  if (!whole) return res.destroy()
  if (total !== null && got > total) throw new Fail(400, 'badRequest', 'Invalid request. More bytes than announced.')
  return complete ? finish(res, s) : incomplete()
}
/** A bit that changes on the way. */
function flipped(path) {
  const bytes = readFileSync(path)
  bytes[0] ^= 1
  writeFileSync(path, bytes)
}
async function finish(res, s) {
  if (!s.size) await receive([], s.path)
  try {
    s.done = await store(s.bucket, s.name, s.path, s.meta, s.q, s.hash)
  } catch (e) {
    s.gone = e.code
    throw e
  }
  json(res, 200, s.done)
}
export async function insert(req, res, bucket, q) {
  const type = q.get('uploadType')
  if (q.has('upload_id')) return continueSession(req, res, q.get('upload_id'))
  bucketOf(bucket)
  if (type === 'resumable') {
    const meta = await body(req)
    const name = q.get('name') ?? meta.name
    if (!name) throw new Fail(400, 'required', 'Required')
    meta.contentType ??= req.headers['x-upload-content-type']
    return startSession(req, res, bucket, name, meta, q)
  }
  let meta = {},
    source = req
  if (type === 'multipart')
    source = multipart(req, (m, t) => {
      meta = m
      meta.contentType ??= t
    })
  else if (type === 'media')
    meta = { contentType: req.headers['content-type'], contentEncoding: q.get('contentEncoding') ?? undefined }
  else {
    req.resume()
    throw new Fail(400, 'badRequest', `Unknown upload type: ${type}`)
  }
  const path = newFile()
  let bad = null
  const guarded = (async function* () {
    try {
      yield* source
    } catch (e) {
      if (e instanceof Fail) {
        bad = e
        return
      }
      throw e
    }
  })()
  const { whole } = await receive(guarded, path)
  if (bad || !whole) {
    rmSync(path, { force: true })
    if (bad) throw bad
    return res.destroy()
  }
  const name = q.get('name') ?? meta.name
  if (!name) {
    rmSync(path, { force: true })
    throw new Fail(400, 'required', 'Required')
  }
  json(res, 200, await store(bucket, name, path, meta, q, hashHeader(req.headers['x-goog-hash'])))
}
