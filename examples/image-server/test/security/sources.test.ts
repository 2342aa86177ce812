import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { http } from '@mullion/http'
import { memory } from 'mullion'
import { REFUSED_SCHEMES } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { deadUrl } from '../v1/remote.ts'
import { reserved, startServer } from '../v1/server.ts'
import {
  COPY,
  FORMATS,
  LOCATION,
  overFiles,
  recording,
  serving,
  shape,
  SOURCE_HEADERS,
  startOrigin,
  work,
} from './scene.ts'

const DISGUISED = ['FILE://@', 'File://@', ' file://@', '\tfile://@', 'file:@', 'file:/@', 'file%3a//@', 'file\t://@']

describe.each(SOURCE_HEADERS)('a source in %s', (header) => {
  it.each([
    ['S-09 (CVE-2014-9493)', ['file://@', ...DISGUISED, 'http+file://@', 'url:file://@']],
    ['S-10 (CVE-2015-1195)', ['filesystem://@', 'FileSystem://@', ' filesystem://@', 'filesystem:@']],
    ['S-30 (LP 942118)', ['rbd://@', 's3://k:s@h/b/o', 'sftp://h/@', 'gs://b/o', 'memory://o', 'ftp://h/x', 'data:,x']],
    ['S-31 (LP 1334196)', ['swift+config://ref/c/o', 'SWIFT+CONFIG://ref/c/o', ' swift+config://ref/c/o']],
  ])('%s: that the server would read as itself is neither read nor removed nor looked at', async (_row, uris) => {
    const { server, images, untouched } = await overFiles()
    writeFileSync(join(images, 'foreign'), 'of somebody else')
    const id = await reserved(server, FORMATS)
    const before = await server.image(id)
    for (const path of ['/etc/passwd', join(images, 'foreign'), join(images, '../canary')]) {
      for (const uri of uris.map((text) => text.replace('@', path))) {
        const headers = { ...FORMATS, [header]: uri }
        expect((await server.call('POST', '/v1/images', headers)).status, uri).toBe(400)
        expect((await server.call('PUT', `/v1/images/${id}`, headers)).status, uri).toBe(400)
      }
    }
    expect(await server.image(id)).toEqual(before)
    expect(server.notices.map(({ event }) => event)).toEqual(['create'])
    await server.call('DELETE', `/v1/images/${id}`)
    expect(untouched()).toBe(true)
    expect(await server.ports.stores.getSizeFromBackend(`file://${join(images, 'foreign')}`)).toBe(16)
  })

  it.each(REFUSED_SCHEMES)('S-62: %s:// is refused before any store is asked', async (scheme) => {
    const calls: string[] = []
    const server = await startServer({
      stores: { memory: memory(), recording: recording(besideMemory(scheme), calls) },
    })
    const answers = await Promise.all(
      [{}, { 'x-image-meta-size': '6' }].map((size) =>
        server.call('POST', '/v1/images', { ...FORMATS, ...size, [header]: `${scheme}://x/y` }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([400, 400])
    await work(server)
    expect([calls, server.notices]).toEqual([[], []])
  })

  it('S-62: gets one answer, whether what it names is there or not', async () => {
    const { server, outside } = await overFiles()
    const ask = async (name: string): Promise<object> => {
      const uri = `file://${outside}/${name}`
      return shape(await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri }), uri)
    }
    expect(await ask('canary')).toEqual(await ask('nothing'))
  })

  it('S-68: is refused at a port that is not allowed, also when the port is the usual one', async () => {
    const open = await startOrigin(serving('data'))
    const stores = { memory: memory(), http: http({ allow: ['127.0.0.1'], ports: [open.port] }) }
    const server = await startServer({ stores })
    const status = async (uri: string): Promise<unknown> => {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })
      return [answer.status, answer.text.includes('Invalid location')]
    }
    for (const uri of ['http://127.0.0.1/', 'https://127.0.0.1/', 'http://127.0.0.1:80/', 'https://127.0.0.1:443/'])
      expect(await status(uri)).toEqual([400, true])
    expect(await status(open.url)).toEqual([201, false])
  })

  it('S-78: is judged by the status of its server, whose words are neither read to the end nor passed on', async () => {
    const origin = await startOrigin(({ method, url = '' }, response) => {
      response.writeHead(Number(url.slice(1)))
      if (method === 'HEAD') return void response.end()
      const more = (): void => {
        while (!response.destroyed && response.write('SECRET of the origin '.repeat(1000)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    const server = await startServer()
    for (const status of [401, 403, 404, 418, 500]) {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: `${origin.url}/${status}` })
      expect([400, 404], answer.octets).toContain(answer.status)
      expect(answer.octets).not.toContain('SECRET')
    }
  })
})

/** A scheme beside that of the store in memory. */
function besideMemory(scheme: string): string {
  return scheme === 'memory' ? 'other' : scheme
}

const CODED = [
  '2130706434',
  '0x7f000002',
  '017700000002',
  '0177.0.0.02',
  '127.2',
  '127.0.2',
  '0x7f.0.0.2',
  '127.0.0.02',
]
const DISGUISES = [
  ...CODED,
  '127.0.0.2',
  '[::ffff:127.0.0.2]',
  '[::ffff:7f00:2]',
  '[64:ff9b::7f00:2]',
  '[2002:7f00:2::]',
  '[::127.0.0.2]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'x.localhost',
  '127.0.0.2.',
  '①②⑦.0.0.2',
  '127。0。0。2',
  '%31%32%37.0.0.2',
  'good.example@127.0.0.2',
  'user:word@127.0.0.2',
  'user:word@127.0.0.2#@good.example',
  '0.0.0.0',
  '[::]',
  '[::1]',
  'unix',
]

describe.each(SOURCE_HEADERS)('an address in %s', (header) => {
  it('S-27 (OSSA-2026-004): of the own network is refused in every spelling, without a connection', async () => {
    const inside = await startOrigin(serving('internal'), '127.0.0.2')
    const server = await startServer({ stores: { memory: memory(), http: http() } })
    for (const host of DISGUISES) {
      for (const uri of [`http://${host}:${inside.port}/`, `HTTP://${host}:${inside.port}/x`, `http://${host}/`]) {
        const sent = Buffer.from(uri).toString('latin1')
        for (const size of [undefined, '8']) {
          const answer = await server.call('POST', '/v1/images', {
            ...FORMATS,
            'x-image-meta-size': size,
            [header]: sent,
          })
          if (size === undefined || header === LOCATION) expect(answer.status, uri).toBe(400)
        }
      }
    }
    await work(server)
    expect(server.notices.filter(({ event }) => event === 'activate')).toEqual([])
    expect(inside.connections).toEqual([])
  })

  it('S-21 (CVE-2017-7200, OSSN-0078): of the own network answers alike, whoever listens there', async () => {
    const inside = await startOrigin(serving('internal'), '127.0.0.2')
    const refusing = await startOrigin((_request, response) => response.writeHead(403).end(), '127.0.0.2')
    const dead = (await deadUrl()).replace('127.0.0.1', '127.0.0.2')
    const server = await startServer({ stores: { memory: memory(), http: http() } })
    const uris = [
      inside.url,
      `${inside.url}/none`,
      refusing.url,
      dead,
      'http://10.255.255.1:1/',
      'http://169.254.169.254/',
    ]
    const seen = new Set<string>()
    for (const uri of uris) {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })
      seen.add(JSON.stringify(shape(answer, uri)))
    }
    expect([...seen]).toEqual([expect.stringContaining('"status":400')])
    expect([...inside.connections, ...refusing.connections]).toEqual([])
  })

  it.each([301, 302, 303, 307, 308])('S-27 (OSSA-2026-004): a redirect (%i) to it is not followed', async (status) => {
    const inside = await startOrigin(serving('internal'), '127.0.0.2')
    const targets = [
      inside.url,
      `//127.0.0.2:${inside.port}/`,
      ...CODED.map((host) => `http://${host}:${inside.port}/`),
      `http://good.example@127.0.0.2:${inside.port}/`,
      `http://[::ffff:127.0.0.2]:${inside.port}/`,
      'file:///etc/passwd',
      'ftp://127.0.0.2/x',
      'gopher://127.0.0.2/x',
      'http:///etc/passwd',
      '',
    ]
    const front = await startOrigin(({ url = '' }, response) => {
      response.writeHead(status, { location: targets[Number(url.slice(1))] ?? '' }).end()
    })
    const server = await startServer()
    for (const at of targets.keys()) {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: `${front.url}/${at}` })
      expect(answer.status, targets[at]).toBe(400)
    }
    await server.call('POST', '/v1/images', { ...FORMATS, 'x-image-meta-size': '8', [header]: `${front.url}/0` })
    await work(server)
    expect(server.notices.filter(({ event }) => event === 'activate')).toEqual([])
    expect(inside.connections).toEqual([])
  })

  it('S-27 (OSSA-2026-004): redirects that never end do', async () => {
    const front = await startOrigin(({ url = '' }, response) => {
      const next = url === '/loop' ? '/loop' : `/${Number(url.slice(1)) + 1}`
      response.writeHead(302, { location: next }).end()
    })
    const server = await startServer()
    for (const path of ['loop', '0']) {
      const headers = { ...FORMATS, [header]: `${front.url}/${path}` }
      expect((await server.call('POST', '/v1/images', headers)).status).toBe(400)
    }
    expect(front.requests.length).toBeLessThan(20)
  })
})

describe('a location that was accepted', () => {
  it('S-61: is filtered again, with every redirect, whenever it is read', async () => {
    const inside = await startOrigin(serving('internal'), '127.0.0.2')
    let turned = false
    const front = await startOrigin((request, response) => {
      if (turned) response.writeHead(302, { location: inside.url }).end()
      else serving('data')(request, response)
    })
    const server = await startServer()
    const made = await server.call('POST', '/v1/images', { ...FORMATS, [LOCATION]: `${front.url}/data` })
    const path = `/v1/images/${made.json.image.id}`
    expect((await server.call('GET', path)).text).toBe('data')
    turned = true
    const answer = await server.call('GET', path)
    expect([answer.status, answer.text.includes('internal')]).toEqual([400, false])
    expect(inside.connections).toEqual([])
  })

  it('S-65: sends its credentials nowhere but to its own server, and nothing of the client at all', async () => {
    const other = await startOrigin(serving('data'))
    const front = await startOrigin((_request, response) => response.writeHead(302, { location: other.url }).end())
    const server = await startServer()
    const client = { 'x-auth-token': 'hunter2', cookie: 'a=hunter2', authorization: 'Basic hunter2' }
    const uri = front.url.replace('//', '//user:word@')
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, ...client, [LOCATION]: uri })
    expect(answer.status, answer.octets).toBe(201)
    await server.call('GET', `/v1/images/${answer.json.image.id}`, client)
    const basic = `Basic ${Buffer.from('user:word').toString('base64')}`
    expect(new Set(front.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([basic]))
    expect(other.requests.length).toBeGreaterThan(0)
    const sent = [...front.requests, ...other.requests].map(({ headers }) => JSON.stringify(headers)).join()
    expect(sent).not.toContain('hunter2')
    expect(JSON.stringify(other.requests.map(({ rawHeaders }) => rawHeaders))).not.toContain(basic)
  })

  it('S-83: leaves no cookie behind that another request would carry', async () => {
    const origin = await startOrigin((request, response) => {
      response.setHeader('set-cookie', ['session=1; Path=/', 'all=1'])
      serving('data')(request, response)
    })
    const server = await startServer()
    for (const header of [LOCATION, COPY, LOCATION]) {
      const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: `${origin.url}/data` })
      await work(server)
      const data = await server.call('GET', `/v1/images/${answer.json.image.id}`)
      expect([data.text, data.headers['set-cookie']]).toEqual(['data', undefined])
    }
    expect(origin.requests.filter(({ headers }) => 'cookie' in headers)).toEqual([])
  })
})
