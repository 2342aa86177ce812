// The JSON API
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Fail, json, notFound, unmet } from './answers.mjs'
import { body } from './bodies.mjs'
import { copyBytes, list, send } from './reads.mjs'
import { bucketOf, now, objectOf, preconditions, ruleFor, state, store, WRITABLE } from './state.mjs'
import { insert } from './uploads.mjs'

export async function jsonApi(req, res, url) {
  const q = url.searchParams
  let path = url.pathname
  if (path.startsWith('/upload/storage/v1/') || path.startsWith('/resumable/upload/storage/v1/')) {
    const m = /\/b\/([^/]+)\/o$/.exec(path)
    if (m && ['POST', 'PUT', 'DELETE'].includes(req.method)) return insert(req, res, decodeURIComponent(m[1]), q)
    throw notFound('Not Found')
  }
  path = path.replace(/^\/download/, '').replace(/^\/storage\/v1/, '')
  const seg = path.split('/').slice(1).map(decodeURIComponent)
  const is = (method, ...shape) =>
    (req.method === method || (method === 'GET' && req.method === 'HEAD')) &&
    seg.length === shape.length &&
    shape.every((s, i) => s === null || s === seg[i])
  if (is('POST', 'b')) {
    const b = await body(req)
    if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(b.name ?? ''))
      throw new Fail(400, 'invalid', `Invalid bucket name: '${b.name}'`)
    if (state.buckets.has(b.name))
      throw new Fail(
        409,
        'conflict',
        'Your previous request to create the named bucket succeeded and you already own it.',
      )
    const t = now()
    const meta = {
      kind: 'storage#bucket',
      id: b.name,
      name: b.name,
      projectNumber: '1',
      metageneration: '1',
      location: 'US',
      storageClass: 'STANDARD',
      etag: 'CAE=',
      timeCreated: t,
      updated: t,
      ...b,
    }
    state.buckets.set(b.name, { meta, objects: new Map() })
    return json(res, 200, meta)
  }
  if (is('GET', 'b'))
    return json(res, 200, {
      kind: 'storage#buckets',
      items: [...buckets.values()].map((b) => b.meta).filter((b) => b.name.startsWith(q.get('prefix') ?? '')),
    })
  if (is('GET', 'b', null)) return json(res, 200, bucketOf(seg[1]).meta)
  if (is('PATCH', 'b', null)) {
    const b = bucketOf(seg[1])
    Object.assign(b.meta, await body(req), {
      name: seg[1],
      updated: now(),
      metageneration: String(Number(b.meta.metageneration) + 1),
    })
    return json(res, 200, b.meta)
  }
  if (is('DELETE', 'b', null)) {
    if (bucketOf(seg[1]).objects.size) throw new Fail(409, 'conflict', 'The bucket you tried to delete is not empty.')
    state.buckets.delete(seg[1])
    return json(res, 204)
  }
  if (is('GET', 'b', null, 'o')) return json(res, 200, list(seg[1], q))
  if (is('GET', 'b', null, 'o', null)) {
    const o = objectOf(seg[1], seg[3], q)
    preconditions(q, o, { read: true })
    return q.get('alt') === 'media' ? send(req, res, o) : json(res, 200, o.meta)
  }
  if (is('PATCH', 'b', null, 'o', null) || is('PUT', 'b', null, 'o', null)) {
    const change = await body(req)
    const o = objectOf(seg[1], seg[3], q)
    preconditions(q, o)
    for (const k of WRITABLE) {
      if (change[k] === undefined) continue
      if (k === 'metadata' && change.metadata && req.method === 'PATCH') {
        const m = { ...o.meta.metadata, ...change.metadata }
        for (const [n, v] of Object.entries(m)) if (v === null) delete m[n]
        o.meta.metadata = m
      } else if (change[k] === null) delete o.meta[k]
      else o.meta[k] = change[k]
    }
    Object.assign(o.meta, { metageneration: String(Number(o.meta.metageneration) + 1), updated: now() })
    return json(res, 200, o.meta)
  }
  if (is('DELETE', 'b', null, 'o', null)) {
    const o = objectOf(seg[1], seg[3], q)
    preconditions(q, o)
    rmSync(o.path, { force: true })
    bucketOf(seg[1]).objects.delete(seg[3])
    return json(res, 204)
  }
  if (is('POST', 'b', null, 'o', null, 'compose')) {
    const b = await body(req)
    const parts = b.sourceObjects ?? []
    if (!parts.length || parts.length > 32)
      throw new Fail(400, 'invalid', 'The number of source components provided is not between 1 and 32.')
    const sources = parts.map((p) => {
      const o = objectOf(seg[1], p.name)
      if (p.generation && String(p.generation) !== o.meta.generation)
        throw notFound(`No such object: ${seg[1]}/${p.name}`)
      if (
        p.objectPreconditions?.ifGenerationMatch !== undefined &&
        String(p.objectPreconditions.ifGenerationMatch) !== o.meta.generation
      )
        throw unmet()
      return o
    })
    const meta = await store(
      seg[1],
      seg[3],
      await copyBytes(sources.map((o) => o.path)),
      b.destination ?? {},
      q,
      {},
      true,
    )
    meta.componentCount = sources.reduce((n, o) => n + (o.meta.componentCount ?? 1), 0)
    return json(res, 200, meta)
  }
  const copy = is('POST', 'b', null, 'o', null, 'copyTo', 'b', null, 'o', null),
    rewrite = is('POST', 'b', null, 'o', null, 'rewriteTo', 'b', null, 'o', null)
  if (copy || rewrite) {
    const b = await body(req)
    const o = objectOf(
      seg[1],
      seg[3],
      new URLSearchParams(q.get('sourceGeneration') ? { generation: q.get('sourceGeneration') } : {}),
    )
    preconditions(q, o, { prefix: 'ifSource' })
    bucketOf(seg[6])
    const size = Number(o.meta.size)
    // the service may stop when it wants, and does between locations and storage classes
    const most = q.get('maxBytesRewrittenPerCall') ?? ruleFor('rewrite', req)?.bytes
    if (rewrite && (most || q.get('rewriteToken'))) {
      const step = Number(most ?? size)
      if (step % (1 << 20))
        throw new Fail(400, 'invalid', 'maxBytesRewrittenPerCall must be an integral multiple of 1 MiB.')
      const t = q.get('rewriteToken') ?? randomBytes(18).toString('base64url')
      const at = (state.rewrites.get(t) ?? 0) + step
      state.rewrites.set(t, at)
      if (at < size)
        return json(res, 200, {
          kind: 'storage#rewriteResponse',
          totalBytesRewritten: String(at),
          objectSize: String(size),
          done: false,
          rewriteToken: t,
        })
      state.rewrites.delete(t)
    }
    const given = Object.keys(b).length ? b : Object.fromEntries(WRITABLE.map((k) => [k, o.meta[k]]))
    const meta = await store(seg[6], seg[8], await copyBytes([o.path]), given, q)
    return json(
      res,
      200,
      copy
        ? meta
        : {
            kind: 'storage#rewriteResponse',
            totalBytesRewritten: String(size),
            objectSize: String(size),
            done: true,
            resource: meta,
          },
    )
  }
  req.resume()
  throw notFound('Not Found')
}
