// An HTTP server that answers wrongly on purpose.
//   node http-faults.mjs PORT [HOST [ROOT]]     or    import { listen } from './http-faults.mjs'
//
// Bodies are the pattern of patternAt(), so a client can tell which bytes it got.
// Every path takes ?size=N, the number of bytes of the whole resource [1048576].
//   /ok            right: Range, ETag, HEAD
//   /short         says size, sends &send=N bytes [half], then cuts the connection
//   /short-end     the same, but ends the connection in an orderly way (FIN)
//   /long          says size, sends 100 bytes more
//   /nolength      chunked, no Content-Length; under /nolength/NAME a file of ROOT
//   /until-close   HTTP/1.0 style: no length, no chunks, the body ends with the connection
//   /chunked-cut   chunked, cut after &send=N bytes without the last chunk
//   /reset         TCP reset after &send=N body bytes [0: before any answer]
//   /hang          never answers          /hang-body   headers, &send=N bytes, then nothing
//   /trickle       &chunk=N bytes [1024] every &ms=N [100]
//   /fail          answers &code=N [503] the first &times=N [2] times for each &key=,
//                  then as /ok
//   /cut-once      cuts after &send=N the first &times=N [1] times for each &key=, then as /ok
//   /no-range      ignores Range (200)    /wrong-range  206 with other bytes than asked for
//   /changes       a new ETag and other bytes with every request
//   /head-lies     HEAD says size, GET gives half
//   /no-head       405 for HEAD           /bad-gzip     Content-Encoding: gzip over plain bytes
//   /garbage       bytes that are no HTTP answer
//   /log           requests so far as JSON (method, url, headers);  DELETE /log empties it
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const patternAt = (i) => (i * 31 + Math.floor(i / 256) * 7 + Math.floor(i / 65536) * 13) & 255
export function pattern(start, end, shift = 0) {
  const b = Buffer.allocUnsafe(end - start)
  for (let i = start; i < end; i++) b[i - start] = (patternAt(i) + shift) & 255
  return b
}

async function write(res, start, end, shift = 0, step = 65536) {
  for (let o = start; o < end; o += step) {
    if (res.destroyed) return
    if (!res.write(pattern(o, Math.min(end, o + step), shift))) {
      await new Promise((ok) => {
        const f = () => {
          res.off('drain', f).off('close', f)
          ok()
        }
        res.on('drain', f).on('close', f)
      })
    }
  }
}
// give the bytes time to leave before the connection is cut
const flushed = () => new Promise((ok) => setTimeout(ok, 50))

function range(req, size) {
  const m = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '')
  if (!m || (!m[1] && !m[2])) return null
  if (!m[1]) return [Math.max(0, size - Number(m[2])), size]
  const from = Number(m[1])
  if (from >= size) return 'bad'
  return [from, m[2] ? Math.min(size, Number(m[2]) + 1) : size]
}

export function listen(port, host = '127.0.0.1', root = null) {
  const counts = new Map()
  const log = []
  let serial = 0
  const first = (q, path, times) => {
    const key = path + ' ' + (q.get('key') ?? '')
    const n = (counts.get(key) ?? 0) + 1
    counts.set(key, n)
    return n <= times
  }
  async function ok(req, res, size, extra = {}, shift = 0) {
    const head = {
      'Content-Type': 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      ETag: `"p${size}-${shift}"`,
      ...extra,
    }
    const r = range(req, size)
    const ifRange = req.headers['if-range']
    if (r === 'bad') {
      res.writeHead(416, { 'Content-Range': `bytes */${size}`, 'Content-Length': 0 }).end()
      return
    }
    const [from, to] = r && (!ifRange || ifRange === head.ETag) ? r : [0, size]
    const partial = to - from !== size
    res.writeHead(partial ? 206 : 200, {
      ...head,
      'Content-Length': to - from,
      ...(partial && { 'Content-Range': `bytes ${from}-${to - 1}/${size}` }),
    })
    if (req.method !== 'HEAD') await write(res, from, to, shift)
    res.end()
  }
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://x')
    const q = url.searchParams
    const num = (k, d) => (q.has(k) ? Number(q.get(k)) : d)
    const size = num('size', 1 << 20)
    const send = num('send', size >> 1)
    const path = url.pathname
    const head = req.method === 'HEAD'
    res.on('error', () => {})
    if (path === '/health') return void res.end('ok\n')
    if (path === '/log') {
      if (req.method === 'DELETE') log.length = 0
      return void res.end(JSON.stringify(log))
    }
    log.push({ method: req.method, url: req.url, headers: req.headers })
    if (log.length > 1000) log.shift()
    if (path.startsWith('/nolength/') && root) {
      const file = createReadStream(join(root, basename(path)))
      file.once('open', () => {
        res.writeHead(200, { 'Content-Type': 'application/octet-stream' })
        if (head) res.end()
        else file.pipe(res)
      })
      file.once('error', () => {
        res.writeHead(404).end()
      })
      return
    }
    switch (path) {
      case '/ok':
        return ok(req, res, size)
      case '/short':
      case '/short-end':
        res.writeHead(200, { 'Content-Length': size, ETag: `"p${size}-0"` })
        if (head) return void res.end()
        await write(res, 0, send)
        await flushed()
        return void (path === '/short' ? res.destroy() : req.socket.end())
      case '/long':
        // straight to the socket: Node would refuse to send more than it said
        req.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
        if (!head) req.socket.write(pattern(0, size + 100))
        return void req.socket.end()
      case '/nolength':
        res.writeHead(200, { 'Content-Type': 'application/octet-stream' })
        if (!head) await write(res, 0, size)
        return void res.end()
      case '/until-close':
        req.socket.write('HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n')
        if (!head) req.socket.write(pattern(0, size))
        return void req.socket.end()
      case '/chunked-cut':
        res.writeHead(200, {})
        await write(res, 0, send)
        await flushed()
        return void res.destroy()
      case '/reset': {
        const n = num('send', 0)
        if (n) {
          res.writeHead(200, { 'Content-Length': size })
          await write(res, 0, n)
          await flushed()
        }
        return void req.socket.resetAndDestroy()
      }
      case '/hang':
        return
      case '/hang-body':
        res.writeHead(200, { 'Content-Length': size })
        return void write(res, 0, send)
      case '/trickle':
        res.writeHead(200, { 'Content-Length': size, ETag: `"p${size}-0"` })
        if (!head) {
          const step = num('chunk', 1024)
          for (let o = 0; o < size && !res.destroyed; o += step) {
            res.write(pattern(o, Math.min(size, o + step)))
            await new Promise((done) => setTimeout(done, num('ms', 100)))
          }
        }
        return void res.end()
      case '/fail':
        if (!first(q, path, num('times', 2))) return ok(req, res, size)
        return void res
          .writeHead(num('code', 503), { 'Retry-After': 0, 'Content-Length': 5 })
          .end(head ? undefined : 'later')
      case '/cut-once':
        if (head || !first(q, path, num('times', 1))) return ok(req, res, size)
        res.writeHead(200, { 'Content-Length': size, 'Accept-Ranges': 'bytes', ETag: `"p${size}-0"` })
        await write(res, 0, send)
        await flushed()
        return void res.destroy()
      case '/no-range':
        delete req.headers.range
        return ok(req, res, size, { 'Accept-Ranges': 'none' })
      case '/wrong-range': {
        const r = range(req, size)
        if (!r || r === 'bad') return ok(req, res, size)
        res.writeHead(206, { 'Content-Length': r[1] - r[0], 'Content-Range': `bytes 0-${r[1] - r[0] - 1}/${size}` })
        if (!head) await write(res, 0, r[1] - r[0])
        return void res.end()
      }
      case '/changes':
        return ok(req, res, size, {}, ++serial)
      case '/head-lies':
        return ok(req, res, head ? size : size >> 1)
      case '/no-head':
        return head ? void res.writeHead(405, { Allow: 'GET' }).end() : ok(req, res, size)
      case '/bad-gzip':
        return ok(req, res, size, { 'Content-Encoding': 'gzip' })
      case '/garbage':
        return void req.socket.end('this is not HTTP\r\n\r\n')
      default:
        res.writeHead(404).end()
    }
  })
  server.keepAliveTimeout = 5000
  return new Promise((done, bad) => server.once('error', bad).listen(port, host, () => done(server)))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [port = '0', host, root] = process.argv.slice(2)
  const server = await listen(Number(port), host, root)
  console.log('listening on', server.address())
  for (const s of ['SIGTERM', 'SIGINT'])
    process.on(s, () => {
      server.close()
      server.closeAllConnections()
    })
}
