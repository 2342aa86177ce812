import { createHash } from 'node:crypto'
import { type AddressInfo, connect } from 'node:net'
import { once } from 'node:events'
import { http } from '@mullion/http'
import { createStores, memory, MullionError, type StoreMap } from 'mullion'
import {
  type Action,
  type Image,
  memoryRegistry,
  memoryTasks,
  openPolicy,
  type Policy,
  type Ports,
  type PublicImage,
  REFUSED_SCHEMES,
} from 'mullion/images'
import { onTestFinished } from 'vitest'
import { type AppSettings, buildApp } from '../../src/app.ts'
import type { ServerPorts } from '../../src/v1/context.ts'
import type { ImageDetail } from '../../src/v1/document.ts'

export const SETTINGS: AppSettings = {
  auth: 'none',
  allowAnonymousWrites: true,
  allowAnonymousAccess: false,
  ownerIsTenant: true,
  adminRole: 'admin',
  diskFormats: ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso'],
  containerFormats: ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker'],
  imageSizeCap: 1_099_511_627_776,
  propertyQuota: 128,
  propertiesSize: 65_536,
  memberQuota: 128,
  storageQuota: undefined,
  limitParamDefault: 25,
  apiLimitMax: 1000,
  maxHeaderLine: 16_384,
  maxRequestIdLength: 64,
  delayedDelete: false,
  refusedSchemes: REFUSED_SCHEMES,
  idleTimeoutMs: 60_000,
  drainBytes: 1024 * 1024,
  drainMs: 1_000,
}

export interface Notice {
  readonly event: string
  readonly image: PublicImage
  readonly failure: string | undefined
}

export interface TestServer {
  readonly port: number
  readonly url: string
  readonly ports: Ports
  readonly notices: readonly Notice[]
  /** Sends one request on a connection of its own and reads the answer until the server closes or it is complete. */
  call(method: string, path: string, headers?: Headers, body?: string | Buffer): Promise<Answer>
  /** Sends octets as they are. */
  raw(octets: string | Buffer): Promise<Answer>
  /** The record, whatever its status. */
  image(id: string): Promise<Image>
}

export interface TestOptions {
  readonly settings?: Partial<AppSettings>
  readonly stores?: StoreMap
  readonly ports?: Partial<Ports & ServerPorts>
}

/** Pairs where order or repetition matters; undefined leaves a header out. */
export type Headers = Readonly<Record<string, string | undefined>> | readonly (readonly [string, string])[]

/** The server on a port of its own, over stores in memory; the test that started it stops it. */
export async function startServer({ settings, stores, ports }: TestOptions = {}): Promise<TestServer> {
  const opened = await createStores<StoreMap>({
    stores: stores ?? { memory: memory(), http: http({ allow: ['127.0.0.1'] }) },
    default: Object.keys(stores ?? { memory: 1 })[0] ?? '',
    retry: { attempts: 1 },
  })
  const notices: Notice[] = []
  const all: Ports & ServerPorts = {
    ...memoryRegistry(),
    stores: opened,
    tasks: memoryTasks(),
    worker: 'test',
    policy: openPolicy,
    notifier: { notify: (event, image, failure) => void notices.push({ event, image, failure }) },
    now: () => new Date(),
    newId: () => crypto.randomUUID(),
    ...ports,
  }
  const app = buildApp(all, { ...SETTINGS, ...settings })
  await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
    await opened.close()
  })
  const { port } = app.server.address() as AddressInfo
  const raw = (octets: string | Buffer): Promise<Answer> => exchange(port, octets)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    ports: all,
    notices,
    raw,
    call: (method, path, headers = {}, body) => raw(request(method, path, headers, body)),
    image: (id) => all.images.get(id),
  }
}

export interface Answer {
  readonly status: number
  /** Lower-case names; values one character per octet. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly text: string
  readonly json: AnswerJson
  /** Everything the server sent. */
  readonly octets: string
}

/** Whatever the answer is about; a test reads what it expects. */
export interface AnswerJson {
  readonly image: ImageDetail
  readonly images: readonly ImageDetail[]
  readonly versions: readonly { readonly id: string; readonly status: string; readonly links: readonly unknown[] }[]
  readonly message: string
  readonly code: string
  readonly title: string
}

/** Headers are given one character per octet, as they go over the wire. */
export function request(method: string, path: string, headers: Headers = {}, body?: string | Buffer): Buffer {
  const pairs: [string, string][] = []
  for (const [name, value] of Array.isArray(headers) ? headers : Object.entries(headers)) {
    if (value !== undefined) pairs.push([name, value])
  }
  if (body !== undefined && !pairs.some(([name]) => /^transfer-encoding$/i.test(name))) {
    pairs.push(['Content-Length', String(Buffer.byteLength(body))])
  }
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: images.test',
    ...pairs.map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body ?? '')])
}

/** Pieces of a chunked body, the last one included. */
export function chunked(...pieces: readonly string[]): string {
  return `${pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`
}

async function exchange(port: number, octets: string | Buffer): Promise<Answer> {
  const socket = connect(port, '127.0.0.1')
  socket.write(octets)
  return readAnswer(socket, octets.toString('latin1').startsWith('HEAD '))
}

/** Reads one answer and closes the connection. */
export async function readAnswer(socket: ReturnType<typeof connect>, bodyless = false): Promise<Answer> {
  const chunks: Buffer[] = []
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (isComplete(Buffer.concat(chunks), bodyless)) socket.destroy()
  })
  await once(socket, 'close')
  return parseAnswer(Buffer.concat(chunks))
}

function isComplete(octets: Buffer, bodyless: boolean): boolean {
  const end = octets.indexOf('\r\n\r\n')
  const head = octets.subarray(0, Math.max(end, 0)).toString('latin1')
  if (end < 0 || head.startsWith('HTTP/1.1 100')) return false
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (bodyless || head.startsWith('HTTP/1.1 204')) return true
  return length === undefined
    ? octets.subarray(-5).toString() === '0\r\n\r\n'
    : octets.length >= end + 4 + Number(length)
}

function parseAnswer(octets: Buffer): Answer {
  const end = octets.indexOf('\r\n\r\n')
  const [first = '', ...lines] = octets.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  const body = octets.subarray(end + 4)
  return {
    status: Number(first.split(' ')[1] ?? 0),
    headers,
    body,
    text: body.toString(),
    get json() {
      return JSON.parse((headers['transfer-encoding'] === 'chunked' ? unchunked(body) : body).toString()) as AnswerJson
    },
    octets: octets.toString('latin1'),
  }
}

/** The content of a chunked body (RFC 9112 §7.1). */
function unchunked(body: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.subarray(at, end).toString(), 16)
    if (!(length > 0)) return Buffer.concat(pieces)
    pieces.push(body.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
}

/** What most uploads need. */
export const RAW = {
  'content-type': 'application/octet-stream',
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
} as const

/** Headers of a trusted proxy. */
export function identity(tenant: string, ...roles: readonly string[]): Record<string, string> {
  return {
    'x-identity-status': 'Confirmed',
    'x-project-id': tenant,
    'x-user-id': `user-of-${tenant}`,
    'x-roles': roles.join(','),
  }
}

/** A queued image, made by `headers`; resolves with its id. */
export async function reserved(server: TestServer, headers: Record<string, string> = {}): Promise<string> {
  const answer = await server.call('POST', '/v1/images', headers)
  if (answer.status !== 201) throw new Error(answer.octets)
  return answer.json.image.id
}

/** An active image with this data; resolves with its id. */
export function uploaded(server: TestServer, data: string, headers: Record<string, string> = {}): Promise<string> {
  return server.call('POST', '/v1/images', { ...RAW, ...headers }, data).then((answer) => {
    if (answer.status !== 201) throw new Error(answer.octets)
    return answer.json.image.id
  })
}

export function md5(data: string | Buffer): string {
  return createHash('md5').update(data).digest('hex')
}

export function utf8AsLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Refuses some actions to everybody. */
export function policyWithout(...refused: readonly Action[]): Policy {
  return {
    async enforce(action) {
      if (refused.includes(action)) throw new MullionError('permission_denied', `${action}: refused`, { details: {} })
    },
  }
}
