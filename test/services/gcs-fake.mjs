// A stand-in for Google Cloud Storage: the part of the JSON API (and of the XML
// API that signed URLs use) which a storage client needs, after Google's published
// reference. Metadata in memory, bytes in files; a restart forgets everything.
//
//   node gcs-fake.mjs PORT AUTH_PORT DIR     PORT asks for no credentials, AUTH_PORT for a token
//
// Honoured: buckets (insert, get, list, delete, patch); objects: get, alt=media with Range,
// insert by media, multipart and resumable (chunks, status query, cancel), patch, delete,
// list with prefix, delimiter and pages, compose, copyTo, rewriteTo in several calls;
// ifGenerationMatch, ifGenerationNotMatch, ifMetagenerationMatch, ifMetagenerationNotMatch;
// a resumable upload judges them when it ends, not when it starts; md5Hash and crc32c in
// the metadata or in X-Goog-Hash, also of the request that ends an upload, are checked;
// 256 KiB chunk rule; what is stored with Content-Encoding: gzip is unpacked for those who
// do not accept gzip, without length and ranges; V4 signed URLs (GET, HEAD, PUT, DELETE,
// POST that starts a resumable upload); /token takes a service account's JWT (RS256) and
// gives an access token.
// Not: versioning, soft delete, ACL and IAM, customer keys, holds, notifications, HMAC,
// batch, gRPC, V2 signatures.
//
// For tests:  POST /_control/KIND?path=/upload/storage/v1/b/mine&method=PUT&times=1&after=0
//   a rule for the next requests whose URL begins so, but for the first few; KIND is one of
//     fail      &code=503 [&reason=] [&retryAfter=]   answer so
//     hang      never answer
//     lose      do as asked, then break the connection instead of answering
//     short     &bytes=262144   keep only so much of a chunk
//     flip      change a bit of what was sent
//     nohash    ignore X-Goog-Hash
//     rewrite   &bytes=1048576  copy only so much
//   DELETE /_control/rules?path=   no more rules for URLs that begin so
//   POST /_control/expire      all access tokens end now
//   POST /_control/reset       forget buckets, sessions, rules
//   GET  /_control/log         requests so far
//   GET  /_control/sessions?bucket=mine    names of the uploads that go on; DELETE ends them, as a week would
import { createServer } from 'node:http'
import { Fail, json, notFound, refuse } from './gcs-fake/answers.mjs'
import { authorised, token, tokens } from './gcs-fake/credentials.mjs'
import { jsonApi } from './gcs-fake/json-api.mjs'
import { reset, ruleFor, state } from './gcs-fake/state.mjs'
import { xmlApi } from './gcs-fake/xml-api.mjs'

const [port, authPort] = process.argv.slice(2)
const KINDS = ['fail', 'hang', 'lose', 'short', 'flip', 'nohash', 'rewrite']

function control(req, res, { searchParams: q, pathname }) {
  const what = pathname.slice('/_control/'.length)
  if (what === 'log') return json(res, 200, state.log)
  if (what === 'sessions') {
    const open = [...state.sessions].filter(([, s]) => s.bucket === q.get('bucket') && !s.done && !s.gone)
    if (req.method === 'DELETE') for (const [id] of open) state.sessions.delete(id)
    return json(
      res,
      200,
      open.map(([, s]) => s.name),
    )
  }
  if (what === 'reset') reset()
  else if (what === 'rules') state.rules = state.rules.filter((r) => !r.path.startsWith(q.get('path')))
  else if (what === 'expire') tokens.clear()
  else if (KINDS.includes(what)) state.rules.push(rule(what, q))
  else throw notFound('Not Found')
  json(res, 200, {})
}

function rule(kind, q) {
  const number = (name, usual) => Number(q.get(name) ?? usual)
  return {
    kind,
    method: q.get('method'),
    path: q.get('path') ?? '/',
    times: number('times', 1),
    after: number('after', 0),
    code: number('code', 503),
    bytes: number('bytes', 0),
    reason: q.get('reason'),
    retryAfter: q.get('retryAfter'),
  }
}

function failed(res, { code, reason, retryAfter }) {
  if (retryAfter) res.setHeader('Retry-After', retryAfter)
  const usual = code === 429 ? 'rateLimitExceeded' : 'backendError'
  const message = code === 401 ? 'Invalid Credentials' : 'We encountered an internal error. Please try again.'
  throw new Fail(code, reason ?? usual, message)
}

/** What is answered goes nowhere. */
function lost(req, res) {
  res.writeHead = () => res
  res.write = () => true
  res.end = () => req.socket.destroy()
}

function handler(open) {
  return async (req, res) => {
    let url
    let xml = false
    res.on('error', () => {})
    req.on('error', () => {})
    try {
      url = new URL(req.url, 'http://x')
      if (url.pathname === '/healthz') return res.end('ok\n')
      if (url.pathname.startsWith('/_control/')) return control(req, res, url)
      if (url.pathname === '/token') return await token(req, res)
      const { method, headers } = req
      state.log.push({ method, url: req.url, range: headers.range, contentRange: headers['content-range'] })
      if (state.log.length > 2000) state.log.shift()
      if (ruleFor('hang', req)) return void req.resume()
      const failure = ruleFor('fail', req)
      if (failure) failed(res, failure)
      if (ruleFor('lose', req)) lost(req, res)
      xml = !/^\/(upload|resumable|download|storage|b)(\/|$)/.test(url.pathname)
      if (xml) return await xmlApi(req, res, url, open)
      // a resumable session's address is its own credential
      if (!open && !url.searchParams.has('upload_id') && !authorised(req)) {
        throw new Fail(401, 'authError', 'Invalid Credentials', { locationType: 'header', location: 'Authorization' })
      }
      await jsonApi(req, res, url)
    } catch (e) {
      if (!(e instanceof Fail)) console.error(e)
      if (!req.complete) req.resume()
      const fail = e instanceof Fail ? e : new Fail(500, 'backendError', 'Backend Error')
      refuse(res, fail, xml, url?.searchParams.get('alt') === 'media')
    }
  }
}

reset()
const servers = [createServer(handler(true)), createServer(handler(false))]
for (const s of servers) s.requestTimeout = 0
servers[0].listen(Number(port), '127.0.0.1', () => console.log('listening on', port))
servers[1].listen(Number(authPort), '127.0.0.1', () => console.log('with credentials on', authPort))
for (const sig of ['SIGTERM', 'SIGINT'])
  process.on(sig, () => {
    for (const s of servers) {
      s.close()
      s.closeAllConnections()
    }
  })
