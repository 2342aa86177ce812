import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { file } from '@mullion/file'
import { http, type HttpConfig } from '@mullion/http'
import { type AnyStore, createStores, defineStore, type StoreMap, type StoreSpec } from 'mullion'
import { type CopyOptions, runTask } from 'mullion/images'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { createLog, sayTo } from '../../src/server/log.ts'
import { type Answer, startServer, type TestOptions, type TestServer } from '../v1/server.ts'

export const FORMATS = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' } as const
export const COPY = 'x-glance-api-copy-from'
export const LOCATION = 'x-image-meta-location'
/** The two headers by which a client names data that lies elsewhere. */
export const SOURCE_HEADERS: readonly [typeof LOCATION, typeof COPY] = [LOCATION, COPY]

export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mullion-security-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface FileScene {
  readonly server: TestServer
  /** The directory of the store, and the one around it. */
  readonly images: string
  readonly outside: string
  /** All that is in the store, files half written included. */
  objects(): readonly string[]
  /** Whether what lies beside the store is as it was. */
  untouched(): boolean
}

/** A server over a file store and an http store, with a file beside the former that is none of its business. */
export async function overFiles(options: TestOptions = {}, web: HttpConfig = {}): Promise<FileScene> {
  const outside = temporaryDirectory()
  const images = join(outside, 'images')
  mkdirSync(images)
  writeFileSync(join(outside, 'canary'), 'a canary')
  const stores: StoreMap = { file: file({ dir: images }), http: http({ allow: ['127.0.0.1'], ...web }) }
  const server = await startServer({ ...options, stores })
  return {
    server,
    images,
    outside,
    objects: () => readdirSync(images, { recursive: true }).map(String),
    untouched: () =>
      readdirSync(outside).toSorted().join() === 'canary,images' &&
      readFileSync(join(outside, 'canary'), 'utf8') === 'a canary',
  }
}

/** Does the copies that wait, as a worker would. */
export async function work({ ports }: TestServer, options: CopyOptions = {}): Promise<void> {
  const next = () => ports.tasks.claim('test', 'copy')
  for (let claim = await next(); claim; claim = await next()) await runTask(ports, claim, options)
}

export interface Origin {
  readonly url: string
  readonly port: number
  readonly requests: readonly IncomingMessage[]
  /** Connections ever made. */
  readonly connections: readonly Socket[]
}

/** A web server; 127.0.0.2 stands for a machine of the own network. */
export async function startOrigin(answer: RequestListener, host = '127.0.0.1'): Promise<Origin> {
  const requests: IncomingMessage[] = []
  const connections: Socket[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    response.on('error', () => {})
    answer(request, response)
  })
  server.on('connection', (socket) => connections.push(socket.on('error', () => {})))
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://${host}:${port}`, port, requests, connections }
}

/** Answers every path with these bytes. */
export function serving(data: string | Buffer): RequestListener {
  return ({ method }, response) => {
    response.setHeader('content-length', Buffer.byteLength(data)).end(method === 'HEAD' ? undefined : data)
  }
}

export interface Logged {
  readonly server: TestServer
  /** Everything that was logged, at all levels. */
  log(): string
}

/** A server that logs all there is to log, and whose stores do. */
export async function withLog(stores: StoreMap, options: TestOptions = {}): Promise<Logged> {
  const lines: string[] = []
  const logger = createLog('trace', { write: (line: string) => lines.push(line) })
  const opened = await createStores<StoreMap>({
    stores,
    default: Object.keys(stores)[0] ?? '',
    retry: { attempts: 1 },
    log: sayTo(logger),
  })
  onTestFinished(() => opened.close())
  const server = await startServer({
    ...options,
    settings: { ...options.settings, logger },
    ports: { ...options.ports, stores: opened },
  })
  return { server, log: () => lines.join('') }
}

/** A store for `scheme` that holds whatever it is asked for and writes down every call. */
export function recording(scheme: string, calls: string[]): StoreSpec<AnyStore> {
  const plugin = defineStore({
    name: 'recording',
    schemes: [scheme],
    config: z.object({}),
    capabilities: {},
    location: { parse: (uri: string) => uri, format: (uri) => uri },
    open: () => ({
      read: async (uri) => {
        calls.push(`read ${uri}`)
        return { body: secret(), size: 6 }
      },
      stat: async (uri) => {
        calls.push(`stat ${uri}`)
        return { size: 6 }
      },
      remove: async (uri) => void calls.push(`remove ${uri}`),
    }),
  })
  return plugin({}) as StoreSpec<AnyStore>
}

async function* secret(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('secret')
}

/** What a client can tell two answers apart by, with what it sent itself blotted out. */
export function shape({ status, headers, text }: Answer, ...sent: readonly string[]): object {
  const blot = (value: string): string => sent.reduce((shown, word) => shown.replaceAll(word, '…'), value)
  const { date: _date, 'x-openstack-request-id': _id, 'content-length': _length, ...rest } = headers
  return {
    status,
    text: blot(text),
    headers: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, blot(value)])),
  }
}
