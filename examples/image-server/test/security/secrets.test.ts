import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { file } from '@mullion/file'
import { http } from '@mullion/http'
import { s3 } from '@mullion/s3'
import { openRegistry } from '@mullion/sql'
import { swift } from '@mullion/swift'
import { memory, type StoreMap } from 'mullion'
import { createSeal, memoryRegistry, type SealContext } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rig, until } from '../cache/rig.ts'
import { deadUrl } from '../v1/remote.ts'
import { RAW, reserved, startServer, type TestServer, uploaded } from '../v1/server.ts'
import {
  COPY,
  FORMATS,
  LOCATION,
  overFiles,
  type Origin,
  serving,
  SOURCE_HEADERS,
  startOrigin,
  temporaryDirectory,
  withLog,
  work,
} from './scene.ts'

const SECRET = 'hunter2hunter2'

/** A service that refuses whoever comes, and says who came. */
function startRefusing(status: number): Promise<Origin> {
  return startOrigin((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const seen = `${request.url} ${JSON.stringify(request.headers)} ${Buffer.concat(pieces).toString()}`
      response.writeHead(status, { 'content-type': 'application/xml', 'www-authenticate': `Swift realm="${SECRET}"` })
      response.end(`<Error><Code>AccessDenied</Code><Message>${seen} key ${SECRET}</Message></Error>`)
    })
  })
}

type Opened = (url: string) => StoreMap[string]

const v1 = { type: 'v1', user: 'account:user', key: SECRET } as const
const password = { type: 'password', user: 'glance', password: SECRET, project: 'service' } as const
const keys = { accessKeyId: 'access', secretAccessKey: SECRET, sessionToken: `token-${SECRET}` }
const SERVICES: readonly [row: string, open: Opened, uri: (host: string) => string][] = [
  [
    'S-07 (CVE-2014-1948): swift, v1',
    (url) => swift({ auth: { ...v1, url: `${url}/auth/v1.0` }, staleUploadMs: false }),
    (host) => `swift+http://account%3Auser:${SECRET}@${host}/auth/v1.0/glance/x`,
  ],
  [
    'S-07 (CVE-2014-1948): swift, Keystone',
    (url) => swift({ auth: { ...password, url: `${url}/v3` }, staleUploadMs: false }),
    (host) => `swift+http://service:glance:${SECRET}@${host}/v3/glance/x`,
  ],
  [
    'S-25 (CVE-2024-1141), S-50 (LP 2131085, 2095304): s3',
    (url) => s3({ endpoint: url, bucket: 'images', pathStyle: true, ...keys, staleUploadMs: false, uploadAttempts: 1 }),
    (host) => `s3+http://access:${SECRET}@${host}/images/x`,
  ],
]

describe.each(SERVICES)('%s', (_row, open, uri) => {
  it.each([401, 403, 404, 400])('answers and logs hold no secret when the service says %i', async (status) => {
    const origin = await startRefusing(status)
    const { server, log } = await withLog({ remote: open(origin.url) })
    const id = randomUUID()
    const answers = [await server.call('POST', '/v1/images', { ...RAW, 'x-image-meta-id': id }, 'data')]
    const located = await server.ports.images.insert({ ...(await server.image(id)), id: randomUUID() })
    const location = { uri: uri(new URL(origin.url).host), metadata: { store: 'remote' }, status: 'active' as const }
    await server.ports.images.update(located.id, { status: 'active', size: 4, locations: [location] })
    for (const method of ['GET', 'HEAD', 'DELETE']) answers.push(await server.call(method, `/v1/images/${located.id}`))
    expect(origin.requests.length).toBeGreaterThan(0)
    expect(answers.map((answer) => answer.octets).join()).not.toContain(SECRET)
    expect(log()).not.toContain(SECRET)
    // what is told to others and kept for operators: S-02 (CVE-2013-0212)
    expect(JSON.stringify([server.notices, (await server.image(id)).reason ?? ''])).not.toContain(SECRET)
  })
})

describe('the location of an image', () => {
  it('S-03 (CVE-2013-1840): is in no answer, whether the data is cached or not', async () => {
    const { server, cache, image } = await rig()
    const id = await image(Buffer.from('data'))
    const seen: string[] = []
    for (const _round of ['from the store', 'from the cache']) {
      for (const [method, path] of [
        ['GET', `/v1/images/${id}`],
        ['HEAD', `/v1/images/${id}`],
        ['PUT', `/v1/images/${id}`],
        ['GET', '/v1/images/detail?is_public=none'],
        ['GET', '/v1/cached_images'],
      ] as const) {
        const answer = await server.call(method, path)
        expect(answer.status).toBe(200)
        seen.push(answer.octets)
      }
      await until(() => cache.cached().length === 1)
    }
    expect(seen.join()).not.toContain('origin://')
  })

  it('S-33 (OSSN-0065): is shown to nobody, not to those who named it either', async () => {
    const origin = await startOrigin(serving('data'))
    const server = await startServer()
    const uri = `${origin.url.replace('//', `//user:${SECRET}@`)}/data`
    const id = await reserved(server, FORMATS)
    const answers = [
      await server.call('POST', '/v1/images', { ...FORMATS, [LOCATION]: uri }),
      await server.call('POST', '/v1/images', { ...FORMATS, [COPY]: uri }),
      await server.call('PUT', `/v1/images/${id}`, { [LOCATION]: uri }),
    ]
    await work(server)
    for (const path of ['', '/members']) answers.push(await server.call('GET', `/v1/images/${id}${path}`))
    answers.push(await server.call('HEAD', `/v1/images/${id}`))
    answers.push(await server.call('GET', '/v1/images/detail?is_public=none'))
    const octets = answers.map((answer) => answer.octets).join('\n')
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 200, 200, 200, 200, 200])
    expect(octets).not.toContain(SECRET)
    expect(octets).not.toContain(origin.url)
    expect(octets).not.toMatch(/"(?:location|locations|direct_url|copy_from)"|x-image-meta-(?:location|copy)/)
    expect(JSON.stringify(server.notices)).not.toContain(SECRET)
  })
})

describe('S-38 (LP 860862, 1275062): the log', () => {
  it('holds neither tokens nor the passwords and signatures of URLs, whatever fails', async () => {
    const { server, log } = await withLog({ memory: memory(), http: http({ allow: ['127.0.0.1'] }) })
    const dead = (await deadUrl()).replace('//', `//user:${SECRET}@`)
    const origin = await startOrigin((_request, response) => response.writeHead(500).end())
    const client = {
      'x-auth-token': SECRET,
      'x-storage-token': SECRET,
      'x-service-token': SECRET,
      authorization: `Basic ${SECRET}`,
      cookie: `session=${SECRET}`,
    }
    const sources = [
      `${dead}?signature=${SECRET}`,
      `${origin.url}/x?X-Amz-Signature=${SECRET}`,
      `ftp://u:${SECRET}@h/x`,
    ]
    for (const header of SOURCE_HEADERS) {
      for (const uri of sources) {
        for (const size of [undefined, '4']) {
          const headers = { ...FORMATS, ...client, 'x-image-meta-size': size, [header]: uri }
          const answer = await server.call('POST', '/v1/images', headers)
          expect(answer.octets).not.toContain(SECRET)
        }
      }
    }
    await work(server)
    await server.call('GET', `/v1/images?token=${SECRET}`, client)
    expect(log()).toContain('/v1/images')
    expect(log()).not.toContain(SECRET)
  })
})

describe('S-39 (LP 1192132): an error that nobody foresaw', () => {
  const boom = async (): Promise<never> => {
    throw new TypeError(`boom in /srv/secret/place.ts: user:${SECRET}`)
  }
  const { images, members } = memoryRegistry()
  const broken = {
    'the records': { images: { ...images, get: boom, list: boom, insert: boom, update: boom } },
    'the members': { members: { ...members, list: boom, find: boom, put: boom, sharedWith: boom } },
    'the policy': { policy: { enforce: boom } },
  }

  it.each(Object.keys(broken) as (keyof typeof broken)[])('in %s is a 500 that tells nothing', async (part) => {
    const server = await startServer({ ports: broken[part] })
    const requests = [
      ['GET', '/v1/images'],
      ['GET', '/v1/images/x'],
      ['HEAD', '/v1/images/x'],
      ['POST', '/v1/images'],
      ['PUT', '/v1/images/x'],
      ['DELETE', '/v1/images/x'],
      ['GET', '/v1/images/x/members'],
      ['GET', '/v1/shared-images/x'],
    ] as const
    const statuses: number[] = []
    for (const accept of ['text/plain', 'text/html', 'application/json', '*/*']) {
      for (const [method, path] of requests) {
        const answer = await server.call(method, path, { accept })
        statuses.push(answer.status)
        expect(answer.octets).not.toMatch(/boom|srv|hunter2|TypeError|\.ts\b|\n\s+at /)
      }
    }
    expect(statuses).toContain(500)
  })

  it('in the files of a store names none of them', async () => {
    const { server, images: directory } = await overFiles()
    const id = await uploaded(server, 'data')
    const location = { uri: `file://${directory}/${id}/below`, metadata: { store: 'file' }, status: 'active' as const }
    await server.ports.images.update(id, { locations: [location] })
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect([answer.status >= 400, answer.octets.includes(directory)]).toEqual([true, false])
  })
})

describe('S-72: a sealed location', () => {
  const key = { id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }
  const seal = createSeal([key], true)
  const context: SealContext = { imageId: 'a', purpose: 'location' }

  it('does not open when any bit of it is another one, or anything is missing', () => {
    const sealed = seal.close(`https://user:${SECRET}@host/x`, context)
    const [version, id, text = ''] = sealed.split(':')
    const bytes = Buffer.from(text, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => seal.open([version, id, flipped.toString('base64url')].join(':'), context)).toThrow(/not authentic/)
    }
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = [version, id, bytes.subarray(0, length).toString('base64url')].join(':')
      expect(() => seal.open(cut, context)).toThrow(/stored location/)
    }
    expect(seal.open(sealed, context)).toContain(SECRET)
  })

  it('opens for its own image and purpose only, and nothing passes for sealed that is not', () => {
    const sealed = seal.close('https://host/x', context)
    expect(() => seal.open(sealed, { ...context, imageId: 'b' })).toThrow(/not authentic/)
    expect(() => seal.open(sealed, { ...context, purpose: 'task' })).toThrow(/not authentic/)
    expect(() => seal.open('plain:file:///etc/passwd', context)).toThrow(/unencrypted/)
    expect(() => seal.open('file:///etc/passwd', context)).toThrow(/unknown form/)
  })

  it('that was altered in the database leads nowhere, and the answer does not say where it led', async () => {
    const directory = temporaryDirectory()
    const database = join(directory, 'registry.db')
    const registry = await openRegistry({ file: database, encryptionKeys: [key], refusePlain: true })
    onTestFinished(() => registry.close())
    const server = await startServer({ stores: { file: file({ dir: directory }) }, ports: { ...registry } })
    const [mine, theirs] = [await uploaded(server, 'mine'), await uploaded(server, 'theirs')]
    rewrite(database, mine, theirs)
    const answer = await read(server, mine)
    expect(answer).toEqual([500, false])
    expect(await read(server, theirs)).toEqual([200, true])
  })
})

/** Gives one image the stored location of another. */
function rewrite(path: string, to: string, from: string): void {
  const database = new DatabaseSync(path)
  const value = '(select value from image_locations where image_id = ? and deleted = 0)'
  database.prepare(`update image_locations set value = ${value} where image_id = ?`).run(from, to)
  database.close()
}

async function read(server: TestServer, id: string): Promise<[number, boolean]> {
  const answer = await server.call('GET', `/v1/images/${id}`)
  return [answer.status, /theirs|file:/.test(answer.octets)]
}
