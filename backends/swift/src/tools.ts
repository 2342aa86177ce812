import type { StoreEnv } from 'mullion'
import { type Account, type Call, pathOf } from './account.ts'
import type { Client } from './client.ts'
import type { SwiftSettings } from './config.ts'
import { createContainer, missingContainer } from './containers.ts'
import type { Send } from './exchange.ts'
import { type ServiceLimits, USUAL_LIMITS } from './limits.ts'
import type { ObjectPlace } from './objects.ts'
import { integer, type Reply, replyOf } from './reply.ts'

/** What every operation of a store works with. */
export interface Tools {
  readonly settings: SwiftSettings
  readonly client: Client
  readonly account: Account
  readonly env: StoreEnv
  /** What the cluster says of itself; the usual where it says nothing. Asked until it answers. */
  limits(signal: AbortSignal): Promise<ServiceLimits>
}

/** Long enough for the deletion of a thousand segments. */
const AFTERWARDS_MS = 60_000

/** Runs what must happen also after an abort, such as taking back what was written. */
export async function afterwards<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new Error('gave up')), AFTERWARDS_MS)
  try {
    return await run(controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Says that a write goes on while it waits for servers; each of their answers is bounded by a timeout of its own. */
export async function waiting<T>(alive: () => void, work: () => Promise<T>): Promise<T> {
  alive()
  const timer = setInterval(alive, ALIVE_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

const ALIVE_MS = 1000

export type ObjectPut = Omit<Call, 'method' | 'path'> & { readonly query?: string | undefined }

/** A PUT of bytes that are at hand, or of a `feed`. A container that is missing is created if that is allowed. */
export async function putObject(
  { account, settings }: Tools,
  { container, object }: ObjectPlace,
  { query = '', ...put }: ObjectPut,
  feed?: (send: Send) => Promise<void>,
): Promise<Reply> {
  const call: Call = { ...put, method: 'PUT', path: pathOf(container, object) + query }
  let isFed = false
  const once = (): Promise<Reply> => {
    if (!feed) return account.request(call)
    return account.upload(call, (send) => {
      isFed = true
      return feed(send)
    })
  }
  const reply = await once()
  if (reply.status !== 404) return reply
  if (isFed || !(settings.createContainer || settings.multiTenant)) throw missingContainer(container)
  await createContainer(account, container, call.signal)
  return once()
}

/** `/info` beside the `/v1` of the storage URL: swift proxy controllers/info.py, ceph rgw/rgw_rest_swift.cc. */
export function limitsOf(client: Client, account: Account): Tools['limits'] {
  let known: ServiceLimits | undefined
  return async (signal) => {
    if (known) return known
    const url = (await account.storageUrl(signal)).replace(/\/v1(\.0)?(\/[^/]*)?$/, '/info')
    const headers = { accept: 'application/json' }
    const answer = await client.exchange({ method: 'GET', url, headers, signal })
    const { status, text } = await replyOf(answer, client.limits.idleTimeoutMs)
    const limits = status === 200 ? parsed(text) : USUAL_LIMITS
    if (status === 200 || status === 404) known = limits
    return limits
  }
}

function parsed(text: string): ServiceLimits {
  try {
    const info = JSON.parse(text) as {
      swift?: { max_file_size?: unknown }
      slo?: { max_manifest_segments?: unknown }
    }
    return {
      maxFileSize: integer(String(info.swift?.max_file_size)) || USUAL_LIMITS.maxFileSize,
      maxSegments: integer(String(info.slo?.max_manifest_segments)) || USUAL_LIMITS.maxSegments,
    }
  } catch {
    return USUAL_LIMITS
  }
}
