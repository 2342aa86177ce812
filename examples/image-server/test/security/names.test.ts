import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createStores, memory } from 'mullion'
import { describe, expect, it } from 'vitest'
import { rig } from '../cache/rig.ts'
import { identity, RAW, reserved, startServer, type TestServer, uploaded, utf8AsLatin1 } from '../v1/server.ts'
import { FORMATS, overFiles, temporaryDirectory, withLog } from './scene.ts'

const CLIMBING = [
  '../canary',
  '..%2fcanary',
  '%2e%2e/canary',
  '%2e%2e%2fcanary',
  '%252e%252e%252fcanary',
  '..%5ccanary',
  '..%c0%afcanary',
  '%00',
  'canary%00.image',
  'C:%5cx',
  'C:x',
  '%2fetc%2fpasswd',
  '%2e%2e',
  '%2e',
  'a/b',
  'a%2fb',
  '%ef%bc%8e%ef%bc%8e%ef%bc%8fcanary',
  '%e2%80%a5%2fcanary',
  '~',
  '*',
  '..;%2fcanary',
  '%20',
  '-rf',
  'x'.repeat(5000),
  '',
]

const POSITIONS = [
  ['GET', '/v1/images/@'],
  ['HEAD', '/v1/images/@'],
  ['PUT', '/v1/images/@'],
  ['DELETE', '/v1/images/@'],
  ['GET', '/v1/images/@/members'],
  ['PUT', '/v1/images/@/members/x'],
  ['DELETE', '/v1/images/@/members/x'],
  ['DELETE', '/v1/images/x/members/@'],
  ['PUT', '/v1/queued_images/@'],
  ['DELETE', '/v1/queued_images/@'],
  ['DELETE', '/v1/cached_images/@'],
] as const

describe('§4.1: a name that leads elsewhere', () => {
  it.each(POSITIONS)('reaches nothing: %s %s', async (method, path) => {
    const outside = temporaryDirectory()
    const dir = join(outside, 'cache')
    mkdirSync(dir)
    for (const name of ['canary', 'canary.image', 'x.image']) writeFileSync(join(outside, name), 'here')
    const { server, cache } = await rig({ cache: { dir } })
    for (const name of CLIMBING) {
      // nothing at all leaves the path of the collection, which may be deleted by whoever manages the cache
      if (name === '' && path.endsWith('_images/@')) continue
      const answer = await server.call(method, path.replace('@', name))
      expect([400, 404, 405, 414], `${name}: ${answer.octets}`).toContain(answer.status)
    }
    expect(readdirSync(outside).toSorted()).toEqual(['cache', 'canary', 'canary.image', 'x.image'])
    expect([cache.queued(), cache.cached()]).toEqual([[], []])
  })

  it('is neither an id nor a store nor a format', async () => {
    const { server, objects, untouched } = await overFiles()
    for (const name of CLIMBING.map(decodedOrSelf)) {
      // oxlint-disable-next-line no-control-regex -- such a header is no HTTP
      if (/[\x00]/.test(name)) continue
      const sent = utf8AsLatin1(name)
      for (const field of ['id', 'store', 'disk_format', 'container_format']) {
        const isOmitted = name.trim() === '' && field === 'store'
        const answer = await server.call('POST', '/v1/images', { ...RAW, [`x-image-meta-${field}`]: sent }, 'data')
        if (!isOmitted) expect(answer.status, `${field} ${name}`).toBe(400)
        if (isOmitted) await server.call('DELETE', `/v1/images/${answer.json.image.id}`)
      }
    }
    expect([objects(), untouched()]).toEqual([[], true])
  })

  it('is no key of a store', async () => {
    await using stores = await createStores({ stores: { memory: memory() }, default: 'memory' })
    for (const name of [...CLIMBING.map(decodedOrSelf), '.x', 'é', 'a b', 'a\nb']) {
      if (name === '-rf') continue
      await expect(stores.add(name, Buffer.from('x')), name).rejects.toMatchObject({ code: 'invalid_argument' })
    }
  })

  it('S-73: is never queued for the cache; ids are, each once and only so many', async () => {
    const { server, cache } = await rig({ cache: { maxQueued: 2 }, settings: { auth: 'trusted' } })
    const admin = identity('ops', 'admin')
    const queue = async (id: string): Promise<number> =>
      (await server.call('PUT', `/v1/queued_images/${id}`, admin)).status
    const [a, b, c] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
    expect([await queue(a), await queue(a.toUpperCase()), await queue(b), await queue(c)]).toEqual([200, 200, 200, 413])
    for (const name of CLIMBING.slice(0, -1)) expect([400, 404]).toContain(await queue(name))
    expect(cache.queued()).toEqual([a, b])
  })
})

describe('S-81: a location in the records that leads out of the store, or to what is no file', () => {
  const SPECIAL: readonly (readonly [string, (images: string, outside: string) => string])[] = [
    ['by ..', (images) => `${images}/../canary`],
    ['by %2e%2e', (images) => `${images}/%2e%2e/canary`],
    ['by ..%2f', (images) => `${images}/..%2fcanary`],
    ['directly', (_images, outside) => `${outside}/canary`],
    ['to a directory', (images) => images],
    ['to a directory in it', (images) => (mkdirSync(join(images, 'd')), `${images}/d`)],
    ['by a link', (images) => (symlinkSync('../canary', join(images, 'link')), `${images}/link`)],
    ['by a linked directory', (images) => (symlinkSync('..', join(images, 'up')), `${images}/up/canary`)],
    ['to a FIFO', (images) => (execFileSync('mkfifo', [join(images, 'fifo')]), `${images}/fifo`)],
    ['to a device', () => '/dev/zero'],
    ['to the environment', () => '/proc/self/environ'],
    ['to a hidden file', (images) => (writeFileSync(join(images, '.part'), 'a canary'), `${images}/.part`)],
  ]

  it.each(SPECIAL)('%s: is neither read nor removed', async (_how, place) => {
    const { server, images, outside, untouched } = await overFiles()
    const path = place(images, outside)
    const id = await reserved(server, FORMATS)
    const location = { uri: `file://${path}`, metadata: { store: 'file' }, status: 'active' as const }
    await server.ports.images.update(id, { status: 'active', size: 8, locations: [location] })
    const before = readdirSync(images)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain('a canary')
    await server.call('DELETE', `/v1/images/${id}`)
    expect([readdirSync(images), untouched()]).toEqual([before, true])
  })
})

const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url))

describe('a shell', () => {
  it('S-06 (CVE-2014-0162), S-41 (LP 1335208): is reached by no id and no URL', async () => {
    const { server, objects, outside, untouched } = await overFiles()
    const canary = join(outside, 'canary2')
    for (const words of [
      `;touch ${canary}`,
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `|touch ${canary}`,
      `-oProxyCommand=touch ${canary}`,
    ]) {
      for (const field of ['id', 'location', 'store']) {
        const headers = { ...RAW, [`x-image-meta-${field}`]: words }
        expect((await server.call('POST', '/v1/images', headers, 'data')).status).toBe(400)
      }
      const id = await uploaded(server, 'data', { 'x-image-meta-name': words, 'x-image-meta-property-x': words })
      await server.call('DELETE', `/v1/images/${id}`)
    }
    expect([objects(), untouched()]).toEqual([[], true])
  })

  it('S-06 (CVE-2014-0162): is started nowhere; the one program that is gets nothing a client sent', () => {
    const sources = [
      'src',
      ...readdirSync(join(REPOSITORY, 'backends')).map((name) => `backends/${name}/src`),
      'examples/image-server/src',
    ]
    const files = sources.flatMap((source) =>
      readdirSync(join(REPOSITORY, source), { recursive: true })
        .map((name) => join(source, String(name)))
        .filter((name) => name.endsWith('.ts')),
    )
    const starting = files.filter((name) => /child_process/.test(readFileSync(join(REPOSITORY, name), 'utf8')))
    expect(files.length).toBeGreaterThan(200)
    expect(starting).toEqual([join('backends', 'rbd', 'src', 'process.ts')])
    const [file = ''] = starting
    const text = readFileSync(join(REPOSITORY, file), 'utf8')
    expect(text).toContain('spawn(process.execPath, [fileURLToPath(')
    expect(text).not.toMatch(/\bexec(?:File)?(?:Sync)?\(|shell:/)
    expect(existsSync(join(REPOSITORY, dirname(file), 'child.ts'))).toBe(true)
  })
})

describe('§4.9: text that is more than text elsewhere', () => {
  it('CR and LF in a record do not make headers of it', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'data')
    await server.ports.images.update(id, {
      name: 'a\r\nx-injected: 1\r\n\r\n<b>',
      owner: 'b\nx-injected: 1',
      checksum: 'c\r\nx-injected: 1',
      properties: {
        set: new Map([
          ['a\r\nx-injected', '1'],
          ['b', '1\r\nx-injected: 1'],
          ['c: d', 'x'],
          ['é', 'x'],
        ]),
        purge: true,
      },
    })
    for (const method of ['HEAD', 'GET', 'PUT']) {
      const { status, headers } = await server.call(method, `/v1/images/${id}`)
      expect(status).toBe(200)
      expect(Object.keys(headers).filter((name) => /injected|property/.test(name))).toEqual([])
    }
  })

  it('CR and LF in a path are text in the answer and one line in the log', async () => {
    const { server, log } = await withLog({ memory: memory() })
    const forged = '{"level":60,"msg":"forged"}'
    for (const path of [
      `x%0d%0ax-injected:%201%0a${encodeURIComponent(forged)}`,
      `%0a${encodeURIComponent(forged)}%0a`,
    ]) {
      const answer = await server.call('GET', `/v1/images/${path}`, { 'user-agent': forged })
      expect([answer.status, answer.headers['x-injected']]).toEqual([404, undefined])
    }
    for (const line of log().trim().split('\n')) expect(JSON.parse(line)).not.toMatchObject({ msg: 'forged' })
  })

  it.each(['evil.test"><b>', 'evil.test/../x', 'a b', 'x@y', '[::1', 'x:99999999'])(
    'a Host that is none (%j) gets into no link',
    async (host) => {
      const server = await startServer()
      const answer = await server.raw(`POST /v1/images HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`)
      expect([answer.status, answer.headers['location']]).toEqual([400, undefined])
    },
  )

  it('HTML is escaped in pages of HTML', async () => {
    const server = await startServer()
    const html = '<script>alert("x")</script>'
    const accept = 'text/html'
    const path = `/v1/images/${encodeURIComponent(html)}`
    const answers = [
      await server.call('GET', path, { accept }),
      await server.call('POST', '/v1/images', { accept, 'x-image-meta-id': html }),
      await server.call('POST', '/v1/images', { accept, 'x-image-meta-disk_format': html }),
      await server.call('POST', '/v1/images', { accept, 'x-image-meta-size': html }),
      await server.call('GET', `/v1/images?sort_key=x&limit=${encodeURIComponent(html)}`, { accept }),
      await server.call('GET', `/v1/images?size_min=${encodeURIComponent(html)}`, { accept }),
      await server.call('POST', '/v1/images', { accept, 'x-image-meta-location': `ftp://${html}/` }),
    ]
    for (const { status, headers, text } of answers) {
      expect([400, 404]).toContain(status)
      expect(headers['content-type']).toMatch(/^text\/html/)
      expect(text).not.toMatch(/<script|alert\("/)
    }
  })

  it('__proto__ and the like are names like any other', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const owner = identity('t1', 'member')
    const names = ['__proto__', 'constructor', 'prototype', 'tostring', 'hasownproperty']
    const properties = Object.fromEntries(names.map((name) => [`x-image-meta-property-${name}`, '{"admin":true}']))
    const id = await uploaded(server, 'data', { ...owner, ...properties })
    const head = await server.call('HEAD', `/v1/images/${id}`, owner)
    for (const name of names) {
      expect(head.headers[`x-image-meta-property-${name}`]).toBe('{"admin":true}')
      const found = await server.call('GET', `/v1/images?property-${name}=%7B%22admin%22:true%7D`, owner)
      expect(found.json.images).toHaveLength(1)
      expect((await server.call('GET', `/v1/images?${name}=x&${name}[admin]=1`, owner)).status).toBe(200)
      expect((await server.call('POST', '/v1/images', { ...owner, [`x-image-meta-${name}`]: 'x' })).status).toBe(400)
      expect((await server.call('POST', '/v1/images', { ...owner, 'x-image-meta-store': name })).status).toBe(400)
      expect((await server.call('GET', `/v1/images?sort_key=${name}`, owner)).status).toBe(400)
    }
    await members(server, id, '{"__proto__":{"member":{"can_share":true}},"constructor":{"prototype":{"admin":true}}}')
    await members(server, id, '{"member":{"__proto__":{"can_share":true}}}')
    expect((await server.ports.members.find(id, 't2'))?.canShare).toBe(false)
    expect(Object.keys(Object.prototype)).toEqual([])
    expect('admin' in {}).toBe(false)
  })
})

async function members(server: TestServer, id: string, body: string): Promise<void> {
  const answer = await server.call('PUT', `/v1/images/${id}/members/t2`, identity('t1', 'member'), body)
  expect(answer.status).toBe(204)
}

function decodedOrSelf(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
