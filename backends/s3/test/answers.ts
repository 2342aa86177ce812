import { once } from 'node:events'
import { type IncomingMessage, createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What becomes of one exchange. */
export interface Fate {
  /** Runs before the service is asked. */
  readonly before?: () => unknown
  /** The service is not asked; this is the answer. */
  readonly instead?: { readonly status: number; readonly body: string }
  /** Runs when the service has answered, before the answer is passed on. */
  readonly after?: () => unknown
  /** The answer has these headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** The request waits on its way, and arrives even if who sent it has left. */
  readonly late?: () => Promise<void>
  /** The answer is not passed on: the connection breaks. */
  readonly lost?: boolean
}

/** `PUT /bucket/key?x-id=UploadPart`, and how many such requests came before. */
export type Decide = (what: string, before: number) => Fate | undefined

export interface Between {
  readonly endpoint: string
  /** Requests that arrived, by operation. */
  readonly seen: readonly string[]
  decide(decide: Decide): void
  close(): Promise<void>
}

/** A proxy before an S3 service that sees requests rather than bytes. Signatures stay valid: they cover the Host header. */
export async function between(service: string): Promise<Between> {
  let rule: Decide = () => undefined
  const seen: string[] = []
  const server = createServer((incoming, outgoing) => {
    const what = operationOf(incoming)
    const before = seen.filter((other) => other === what).length
    seen.push(what)
    forward(service, incoming, outgoing, rule(what, before) ?? {}).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    decide(decide) {
      rule = decide
      seen.length = 0
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

function operationOf({ method = '', url = '/' }: IncomingMessage): string {
  const { searchParams } = new URL(url, 'http://localhost')
  if (method === 'POST') return searchParams.has('uploadId') ? 'Complete' : 'Create'
  return searchParams.get('x-id') ?? (searchParams.has('uploads') ? 'ListUploads' : method === 'HEAD' ? 'Head' : method)
}

async function forward(
  service: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { before, instead, after, headers: changed, late, lost }: Fate,
): Promise<void> {
  await before?.()
  if (instead) {
    incoming.resume()
    outgoing.writeHead(instead.status, { 'content-type': 'application/xml' }).end(instead.body)
    return
  }
  const { method, url = '/', headers } = incoming
  const upstream = request(new URL(url, service), { method: method ?? 'GET', headers, agent: false })
  if (late) {
    const body = await buffer(incoming)
    await late()
    upstream.end(body)
  } else {
    outgoing.on('close', () => outgoing.writableFinished || upstream.destroy())
    incoming.on('error', () => upstream.destroy())
    incoming.pipe(upstream)
  }
  const [answer] = (await once(upstream, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  await after?.()
  if (lost) outgoing.destroy()
  else outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...changed }).end(Buffer.concat(chunks))
}

/** An answer in the words of S3. */
export const saying = (status: number, code: string): NonNullable<Fate['instead']> => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}, as arranged</Message></Error>`,
})
