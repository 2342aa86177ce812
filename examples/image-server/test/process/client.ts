import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { vi } from 'vitest'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export const OCTETS = { 'content-type': 'application/octet-stream' } as const
export const META = {
  'x-image-meta-name': 'cirros',
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
} as const

/** One request on a connection of its own. Rejects when the connection breaks before the answer is complete. */
export async function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array,
): Promise<Answer> {
  const outgoing = request(url, {
    method,
    headers: { ...headers, ...(body && { 'content-length': body.length }) },
    agent: false,
  })
  outgoing.end(body)
  return answerOf(outgoing)
}

export async function answerOf(outgoing: ClientRequest): Promise<Answer> {
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }
}

export interface OpenUpload {
  readonly id: string
  readonly outgoing: ClientRequest
  /** `undefined` when the connection was cut without an answer. */
  readonly answer: Promise<Answer | undefined>
}

/** Begins an upload of `size` bytes and sends the first of them; resolves once the server is saving them. */
export async function beginUpload(url: string, size: number, first: Uint8Array): Promise<OpenUpload> {
  const id = crypto.randomUUID()
  const headers = { ...OCTETS, ...META, 'x-image-meta-id': id, 'content-length': size }
  const outgoing = request(`${url}/v1/images`, { method: 'POST', headers, agent: false })
  outgoing.on('error', () => {})
  const answer = answerOf(outgoing).catch(() => undefined)
  outgoing.write(first)
  await untilStatus(url, id, 'saving')
  return { id, outgoing, answer }
}

export async function statusOf(url: string, id: string): Promise<string | undefined> {
  const { headers } = await send('HEAD', `${url}/v1/images/${id}`)
  const status = headers['x-image-meta-status']
  return typeof status === 'string' ? status : undefined
}

/** Resolves once the image has the status. Rejects when it ends in another one, or after half a minute. */
export async function untilStatus(url: string, id: string, wanted: string): Promise<void> {
  await vi.waitUntil(() => reached(url, id, wanted), { interval: 20, timeout: 30_000 })
}

async function reached(url: string, id: string, wanted: string): Promise<boolean> {
  const status = await statusOf(url, id)
  if (status !== wanted && (status === 'active' || status === 'killed')) {
    throw new Error(`image ${id}: expected ${wanted}, it is ${status}`)
  }
  return status === wanted
}

export async function idsIn(url: string, status: string): Promise<string[]> {
  const { body } = await send('GET', `${url}/v1/images?is_public=none&status=${status}`)
  return (JSON.parse(body.toString()) as { images: { id: string }[] }).images.map(({ id }) => id)
}

/** Every file below the directory, as paths. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`)
}
