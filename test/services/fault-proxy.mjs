// A TCP proxy that delays, throttles, stalls and cuts. For any service beside it.
//
// In a test:   const p = await faultProxy({ target: 20080 }); p.set({ latency: 50 }); p.cut('stall'); p.close()
// As a server: node fault-proxy.mjs ADMIN_PORT FIRST_PORT LAST_PORT
//   POST   /proxies {"target": 20080}         -> {"id": "1", "port": 20501, ...}
//   PUT    /proxies/1 {"latency": 50, ...}    the rules from now on; {} lets all pass
//   GET    /proxies, GET /proxies/1           rules and counts
//   POST   /proxies/1/cut                     resets the open connections now
//   DELETE /proxies/1
//
// Rules, each optional:
//   latency     ms before each piece of an answer        jitter   up to so many ms more
//   connectDelay  ms before a connection is passed on
//   down, up    bytes a second, answers and requests
//   cutDown, cutUp   after so many bytes of answers or requests the connection ends
//   how         in which way: "reset" (RST) [default], "fin" (orderly), "stall" (stays, silent)
//   times       only the next so many connections that get that far are cut; then all pass
//   refuse      true: every new connection is reset at once
import { createServer } from 'node:http'
import net from 'node:net'
import { pathToFileURL } from 'node:url'

const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms))
const drained = (s) =>
  new Promise((ok) => {
    const f = () => {
      s.off('drain', f).off('close', f)
      ok()
    }
    s.on('drain', f).on('close', f)
  })

export function faultProxy({ target, targetHost = '127.0.0.1', port = 0, host = '127.0.0.1' }) {
  let rules = {}
  const open = new Set()
  const stats = { connections: 0, cut: 0, down: 0, up: 0 }
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, async (client) => {
    stats.connections++
    client.on('error', () => {})
    if (rules.refuse) return void client.resetAndDestroy()
    if (rules.connectDelay) await sleep(rules.connectDelay)
    const upstream = net.connect({ port: target, host: targetHost, allowHalfOpen: true, noDelay: true })
    const pair = { client, upstream, done: false, stalled: false }
    open.add(pair)
    const end = (reset) => {
      if (pair.done) return
      pair.done = true
      open.delete(pair)
      for (const s of [client, upstream]) {
        if (reset) s.resetAndDestroy()
        else s.destroy()
      }
    }
    pair.end = end
    pair.cut = (how) => {
      if (how === 'stall') {
        pair.stalled = true
        client.once('close', () => end(true))
      } else if (how === 'fin') {
        pair.done = true
        open.delete(pair)
        client.end()
        client.resume() // what it still sends goes nowhere
        upstream.destroy()
      } else end(true)
    }
    client.on('error', () => end(true))
    upstream.on('error', () => end(true)) // also when nobody listens there
    const cut = async () => {
      if (rules.times !== undefined && rules.times-- <= 0) {
        rules.times = 0
        return false
      }
      stats.cut++
      const how = rules.how ?? 'reset'
      if (how === 'stall') {
        // both directions wait, until the client has had enough
        pair.stalled = true
        await new Promise((ok) => (client.destroyed ? ok() : client.once('close', ok)))
        end(true)
      } else if (how === 'fin') {
        client.end()
        upstream.destroy()
        pair.done = true
        open.delete(pair)
      } else {
        await sleep(20)
        end(true)
      } // what was written gets out first
      return true
    }
    const pump = async (from, to, dir) => {
      let n = 0,
        spared = false
      try {
        for await (const chunk of from) {
          let data = chunk
          while (data.length) {
            if (pair.stalled) await new Promise((ok) => (client.destroyed ? ok() : client.once('close', ok)))
            if (pair.done) return
            const r = rules,
              rate = r[dir],
              limit = spared ? undefined : r[dir === 'down' ? 'cutDown' : 'cutUp']
            let piece = rate ? data.subarray(0, Math.max(1, Math.floor(rate / 20))) : data
            if (limit !== undefined && n + piece.length > limit) piece = piece.subarray(0, Math.max(0, limit - n))
            if (piece.length) {
              if (dir === 'down' && (r.latency || r.jitter))
                await sleep((r.latency ?? 0) + Math.random() * (r.jitter ?? 0))
              if (pair.done) return
              n += piece.length
              stats[dir] += piece.length
              if (!to.write(piece)) await drained(to)
              if (rate) await sleep((piece.length / rate) * 1000)
              data = data.subarray(piece.length)
            }
            if (limit !== undefined && n >= limit) {
              if (await cut()) return
              spared = true
            }
          }
        }
        if (!pair.stalled) to.end()
      } catch {
        end(true)
      }
    }
    void Promise.all([pump(client, upstream, 'up'), pump(upstream, client, 'down')]).then(() => {
      if (!pair.stalled && !pair.done) {
        pair.done = true
        open.delete(pair)
      }
    })
  })
  return new Promise((ok, bad) =>
    server.once('error', bad).listen(port, host, () =>
      ok({
        port: server.address().port,
        target,
        stats,
        get rules() {
          return rules
        },
        set: (r) => {
          rules = { ...r }
        },
        cut: (how = 'reset') => {
          const connections = [...open].filter((p) => how === 'reset' || !p.stalled)
          for (const p of connections) p.cut(how)
          stats.cut += connections.length
          return connections.length
        },
        close: () =>
          new Promise((done) => {
            server.close(done)
            for (const p of open) p.end(true)
          }),
      }),
    ),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [admin, first, last] = process.argv.slice(2).map(Number)
  const proxies = new Map()
  let serial = 0
  const show = ([id, p]) => ({ id, port: p.port, target: p.target, rules: p.rules, stats: p.stats })
  const server = createServer(async (req, res) => {
    const say = (code, body) => res.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    try {
      let text = ''
      for await (const b of req) text += b
      const body = text ? JSON.parse(text) : {}
      const [, what, id, verb] = req.url.split('/')
      if (what !== 'proxies') return say(404, {})
      if (!id && req.method === 'GET') return say(200, [...proxies].map(show))
      if (!id && req.method === 'POST') {
        let p
        for (let port = body.port ?? first; !p; port++) {
          if (port > last) return say(503, { error: 'no port left' })
          if ([...proxies.values()].some((x) => x.port === port)) {
            if (body.port) return say(409, { error: 'port taken' })
            continue
          }
          p = await faultProxy({ target: body.target, port }).catch((e) => {
            if (body.port || e.code !== 'EADDRINUSE') throw e
          })
        }
        const entry = [String(++serial), p]
        proxies.set(...entry)
        return say(201, show(entry))
      }
      const p = proxies.get(id)
      if (!p) return say(404, {})
      if (verb === 'cut') p.cut()
      else if (req.method === 'PUT') p.set(body)
      else if (req.method === 'DELETE') {
        await p.close()
        proxies.delete(id)
        return say(200, {})
      }
      say(200, show([id, p]))
    } catch (e) {
      say(400, { error: e.message })
    }
  })
  server.listen(admin, '127.0.0.1', () => console.log('listening on', admin))
  for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => process.exit(0))
}
