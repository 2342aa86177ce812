import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { rootCertificates } from 'node:tls'
import { S3, type S3ClientConfig } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { MullionError, orAborted } from 'mullion'
import type { S3Settings } from './config.ts'
import { failed } from './errors.ts'

export interface Client {
  /** One request; `signal` ends it with its own reason. Rejects S3Error otherwise. */
  send<T>(operation: string, signal: AbortSignal, ask: (s3: S3, options: SendOptions) => Promise<T>): Promise<T>
  /** The time of the service, in milliseconds since the epoch, by its last answer that told it. */
  now(): number | undefined
  /** Ends the connections, those in use too. */
  close(): void
}

export interface SendOptions {
  readonly abortSignal: AbortSignal
}

/** Shorter than servers keep a connection they do not use. */
const FREE_SOCKET_MS = 4000

/** Nothing is sent yet. Rejects `invalid_config` when the authorities cannot be read. */
export async function createClient(settings: S3Settings): Promise<Client> {
  const { maxConnections: maxSockets } = settings
  const pool = { keepAlive: true, maxSockets, timeout: FREE_SOCKET_MS }
  const ca = settings.ca === undefined ? undefined : await authorities(settings.ca)
  const agents = { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent({ ...pool, ...(ca && { ca }) }) }
  let ahead: number | undefined
  const tellDate = (date: string | undefined): void => {
    const ms = Date.parse(date ?? '') - Date.now()
    if (!Number.isNaN(ms)) ahead = ms
  }
  const s3 = new S3({ ...sdkConfig(settings), requestHandler: handler(settings, agents, tellDate) })
  return {
    async send(operation, signal, ask) {
      signal.throwIfAborted()
      try {
        // the SDK looks for credentials, and waits for them, without a look at the signal
        return await orAborted(ask(s3, { abortSignal: signal }), signal)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw failed(operation, error)
      }
    },
    now: () => (ahead === undefined ? undefined : Date.now() + ahead),
    close() {
      s3.destroy()
      agents.httpAgent.destroy()
      agents.httpsAgent.destroy()
    },
  }
}

function sdkConfig({ region, endpoint, pathStyle, credentials }: S3Settings): S3ClientConfig {
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials: { ...credentials } }),
    forcePathStyle: pathStyle,
    followRegionRedirects: endpoint === undefined,
    maxAttempts: 1, // requests of an upload are repeated by attempts.ts, all others by the core
    // parts carry the digest we made of them: else the SDK would send them in the aws-chunked encoding
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    customUserAgent: 'mullion',
    logger: SILENT,
  }
}

/** Without one the SDK writes to the console that it does not repeat a stream, which it is not to. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * The body of an object is read at the pace of the reader, who may be slower than any limit: `body.ts` watches it. All
 * else the service has to move along.
 */
function handler(
  { connectTimeoutMs: connectionTimeout, idleTimeoutMs }: S3Settings,
  agents: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent },
  tellDate: (date: string | undefined) => void,
): Pick<NodeHttpHandler, 'handle' | 'metadata' | 'destroy'> {
  const shared = { ...agents, connectionTimeout }
  const usual = new NodeHttpHandler({ ...shared, socketTimeout: idleTimeoutMs })
  const limits = { requestTimeout: idleTimeoutMs, throwOnRequestTimeout: true, socketTimeout: 0 }
  const reading = new NodeHttpHandler({ ...shared, ...limits })
  return {
    metadata: usual.metadata,
    async handle(request, options) {
      const answer = await (request.query?.['x-id'] === 'GetObject' ? reading : usual).handle(request, options)
      tellDate(answer.response.headers['date'])
      return answer
    },
    destroy() {
      usual.destroy()
      reading.destroy()
    },
  }
}

async function authorities(ca: string): Promise<string[]> {
  const pem = ca.includes('-----BEGIN') ? ca : await readFile(ca, 'utf8').catch(() => '')
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return [...rootCertificates, pem]
  const issue = 'ca: expected PEM certificates or a readable file of them'
  throw new MullionError('invalid_config', `s3 store: ${issue}`, { details: { plugin: 's3', issues: [issue] } })
}
