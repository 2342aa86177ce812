// The bodies of requests
import { createWriteStream } from 'node:fs'
import { Fail } from './answers.mjs'

export async function text(req) {
  const parts = []
  for await (const b of req) parts.push(b)
  return Buffer.concat(parts).toString()
}
export async function body(req) {
  const t = await text(req)
  if (!t) return {}
  try {
    return JSON.parse(t)
  } catch {
    throw new Fail(400, 'parseError', 'Parse Error')
  }
}
// Writes what comes to a file, from an offset on; says how many bytes came, whole or not.
export async function receive(source, path, start = 0, limit = Infinity) {
  const out = createWriteStream(path, { flags: start ? 'r+' : 'w', start })
  let n = 0,
    whole = true
  try {
    for await (const chunk of source) {
      const b = n + chunk.length > limit ? chunk.subarray(0, limit - n) : chunk
      n += b.length
      if (b.length && !out.write(b)) await new Promise((ok) => out.once('drain', ok))
    }
  } catch {
    whole = false
  } // the client is gone
  await new Promise((ok, bad) => out.end((e) => (e ? bad(e) : ok())))
  return { n, whole }
}
export async function* multipart(req, onMeta) {
  // gcloud writes single quotes here and bare line feeds below
  const m = /boundary=["']?([^"';]+)["']?/.exec(req.headers['content-type'] ?? '')
  if (!m) throw new Fail(400, 'badRequest', 'Missing end boundary in multipart body.')
  const mark = Buffer.from('--' + m[1])
  let eol = '\r\n'
  let end = Buffer.from('')
  let head = Buffer.alloc(0),
    data = null
  for await (const chunk of req) {
    if (!data) {
      head = Buffer.concat([head, chunk])
      const second = head.indexOf(mark, head.indexOf(mark) + mark.length)
      if (head[head.indexOf(mark) + mark.length] === 10) eol = '\n'
      end = Buffer.from(`${eol}--${m[1]}--`)
      const start = second < 0 ? -1 : head.indexOf(eol + eol, second)
      if (start < 0) continue
      const jsonStart = head.indexOf(eol + eol) + 2 * eol.length
      const type = /content-type:\s*([^\r\n]+)/i.exec(head.subarray(second, start).toString())?.[1]
      let meta
      try {
        meta = JSON.parse(head.subarray(jsonStart, second).toString() || '{}')
      } catch {
        throw new Fail(400, 'parseError', 'Parse Error')
      }
      onMeta(meta, type)
      data = head.subarray(start + 2 * eol.length)
    } else data = Buffer.concat([data, chunk])
    const keep = end.length + 4 // the closing mark may come in pieces
    if (data.length > keep) {
      yield data.subarray(0, data.length - keep)
      data = data.subarray(data.length - keep)
    }
  }
  const at = data ? data.indexOf(end) : -1
  if (at < 0) throw new Fail(400, 'badRequest', 'Missing end boundary in multipart body.')
  yield data.subarray(0, at)
}
export const hashHeader = (h) => {
  const out = {}
  for (const m of String(h ?? '').matchAll(/(md5|crc32c)=([A-Za-z0-9+/=]+)/g))
    out[m[1] === 'md5' ? 'md5Hash' : 'crc32c'] = m[2]
  return out
}
