import { type ReadOptions, type ReadResult, redactUri, type StatResult, type Store, type StoreEnv } from 'mullion'
import { guardedAgents, type Resolve, systemResolve, trusting } from './agents.ts'
import { countedBody } from './body.ts'
import { type Client, createClient } from './client.ts'
import type { HttpSettings } from './config.ts'
import { brokenAnswer, statusError, transportError } from './errors.ts'
import type { Answer } from './exchange.ts'
import { createGuard } from './guard.ts'
import { contentLength, contentRange, isPlain, retryAfterMs, strongEtag } from './headers.ts'
import type { HttpLocation } from './location.ts'
import { planOf, rangeHeader } from './range.ts'

/** Read-only: what is behind a URL is not ours to change. */
export type HttpStore = Pick<Store<HttpLocation>, 'read' | 'stat'> & { close(): Promise<void> }

/** `resolve` finds the addresses of names; only tests give another one than that of the system. */
export async function openHttp(
  settings: HttpSettings,
  env: StoreEnv,
  resolve: Resolve = systemResolve,
): Promise<HttpStore> {
  const { ca, maxConnections } = settings
  const guard = createGuard(settings)
  const secureContext = ca === undefined ? undefined : await trusting(ca)
  const client = createClient(settings, guard, guardedAgents(guard, resolve, { maxConnections, secureContext }))
  const judge = judgeOf(env)
  return {
    stat: (at, { signal }) => sizeOf(client, judge, at, signal),
    read: (at, options) => open(client, judge, settings, at, options),
    async close() {
      client.close()
    },
  }
}

/** Returns the answer if its status is one of `statuses`; otherwise lets go of it and throws. */
type Judge = (answer: Answer, at: HttpLocation, statuses: readonly number[]) => Answer

function judgeOf({ now }: StoreEnv): Judge {
  return (answer, at, statuses) => {
    const { status, headers, stream } = answer
    const isExpected = statuses.includes(status)
    if (isExpected && (status >= 300 || isPlain(headers))) return answer
    stream.destroy() // what a server says about its errors is not read: it may be long, and must not be passed on
    if (isExpected) throw brokenAnswer('the server sent an encoding that was not asked for')
    throw statusError(status, redactUri(at.uri), retryAfterMs(headers, now()))
  }
}

/** Answers to HEAD that say nothing about GET: not implemented, or not covered by the signature of a presigned URL. */
const HEAD_REFUSED: readonly number[] = [400, 403, 405, 501]

/** Some servers answer HEAD with a length of 0 because they produce no body: the size is then asked for by GET. */
async function sizeOf(client: Client, judge: Judge, at: HttpLocation, signal: AbortSignal): Promise<StatResult> {
  const head = judge(await client.request(at, { method: 'HEAD', signal }), at, [200, ...HEAD_REFUSED])
  const size = contentLength(head.headers)
  if (head.status === 200 && size !== undefined && size > 0) return { size, etag: strongEtag(head.headers) }
  const get = judge(await client.request(at, { method: 'GET', range: 'bytes=0-0', signal }), at, [200, 206, 416])
  get.stream.destroy()
  const total = get.status === 200 ? contentLength(get.headers) : contentRange(get.headers)?.total
  return { size: total, etag: strongEtag(get.headers) }
}

async function open(
  client: Client,
  judge: Judge,
  settings: HttpSettings,
  at: HttpLocation,
  options: ReadOptions,
): Promise<ReadResult> {
  const { signal } = options
  const range = rangeHeader(options)
  const statuses = range === undefined ? [200] : [200, 206, 416]
  const answer = judge(await client.request(at, { method: 'GET', range, signal }), at, statuses)
  try {
    const { plan, size } = planOf(answer, options, settings.maxSkip)
    const reason = (error: unknown): unknown => (signal.aborted ? signal.reason : transportError(error))
    const body = countedBody(answer.stream, plan, settings.idleTimeoutMs, reason)
    return { body, size, etag: strongEtag(answer.headers) }
  } catch (error) {
    answer.stream.destroy()
    throw error
  }
}
