// Access tokens for the assertions of the service account, and signed URLs
import { createHash, createVerify, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fail, json } from './answers.mjs'
import { text } from './bodies.mjs'
import { dir } from './state.mjs'

const account = JSON.parse(readFileSync(join(dir, 'service-account.json'), 'utf8'))
const publicKey = readFileSync(join(dir, 'public.pem'), 'utf8')
const tokenSeconds = Number(process.env.MULLION_GCS_TOKEN_SECONDS ?? 3600)
export const tokens = new Map()

function jwt(assertion) {
  const [h, p, sig] = String(assertion).split('.')
  try {
    const head = JSON.parse(Buffer.from(h, 'base64url')),
      claims = JSON.parse(Buffer.from(p, 'base64url'))
    const good =
      head.alg === 'RS256' && createVerify('RSA-SHA256').update(`${h}.${p}`).verify(publicKey, sig, 'base64url')
    const t = Date.now() / 1000
    return good &&
      claims.iss === account.client_email &&
      claims.exp > t - 60 &&
      claims.iat < t + 300 &&
      claims.exp - claims.iat <= 3600
      ? claims
      : null
  } catch {
    return null
  }
}
export function authorised(req) {
  const m = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')
  if (!m) return false
  const ends = tokens.get(m[1])
  return ends ? ends > Date.now() : Boolean(jwt(m[1]))
}
export async function token(req, res) {
  const f = new URLSearchParams(await text(req))
  const claims = f.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' && jwt(f.get('assertion'))
  if (!claims || !claims.aud || !claims.scope)
    return json(res, 400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' })
  const access_token = 'ya29.fake-' + randomBytes(18).toString('base64url')
  tokens.set(access_token, Date.now() + tokenSeconds * 1000)
  json(res, 200, { access_token, expires_in: tokenSeconds, token_type: 'Bearer' })
}
const enc = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase())
export function signed(req, url) {
  const q = url.searchParams
  const bad = (code, xml, message) => Object.assign(new Fail(code, 'forbidden', message), { xml })
  if (q.get('X-Goog-Algorithm') !== 'GOOG4-RSA-SHA256') throw bad(403, 'AccessDenied', 'Access denied.')
  const date = q.get('X-Goog-Date') ?? '',
    [email, ...scope] = (q.get('X-Goog-Credential') ?? '').split('/')
  const start = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  const names = (q.get('X-Goog-SignedHeaders') ?? '').split(';')
  const query = [...q]
    .filter(([k]) => k !== 'X-Goog-Signature')
    .map(([k, v]) => `${enc(k)}=${enc(v)}`)
    .sort()
    .join('&')
  // Google's own library signs the host without its port; the service has none.
  const good =
    email === account.client_email &&
    [req.headers.host, req.headers.host.replace(/:\d+$/, '')].some((host) => {
      const headers = names
        .map(
          (n) =>
            `${n}:${String((n === 'host' ? host : req.headers[n]) ?? '')
              .trim()
              .replace(/\s+/g, ' ')}\n`,
        )
        .join('')
      const canonical = [
        req.method,
        req.url.split('?')[0],
        query,
        headers,
        names.join(';'),
        req.headers['x-goog-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
      ].join('\n')
      const toSign = [
        'GOOG4-RSA-SHA256',
        date,
        scope.join('/'),
        createHash('sha256').update(canonical).digest('hex'),
      ].join('\n')
      return createVerify('RSA-SHA256')
        .update(toSign)
        .verify(publicKey, q.get('X-Goog-Signature') ?? '', 'hex')
    })
  if (!good)
    throw bad(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    )
  if (!(Date.now() <= start + Number(q.get('X-Goog-Expires')) * 1000))
    throw bad(400, 'ExpiredToken', 'The provided token has expired.')
}
