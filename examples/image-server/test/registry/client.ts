import { onTestFinished } from 'vitest'
import type { RegistryAppSettings } from '../../src/registry/app.ts'
import type { ExtendedDocument } from '../../src/registry/document.ts'
import { startRegistry, type TestRegistry } from './registry.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: AnswerJson
}

/** Whatever the answer is about; a test reads what it expects. */
export interface AnswerJson {
  readonly image: ExtendedDocument
  readonly images: readonly ExtendedDocument[]
  readonly members: readonly { readonly member_id: string; readonly can_share: boolean }[]
  readonly shared_images: readonly { readonly image_id: string; readonly can_share: boolean }[]
  readonly error: { readonly code: string; readonly name?: string; readonly message: string }
}

export type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

export interface Registered extends TestRegistry {
  /** As nobody in particular; who that is, the settings say. */
  readonly call: Call
  /** As somebody of a tenant, with identity headers. */
  as(tenant: string | undefined, ...roles: readonly string[]): Call
}

/** A registry for one test, which it stops. A body is sent as JSON unless it is text. */
export async function registered(settings: Partial<RegistryAppSettings> = {}): Promise<Registered> {
  const registry = await startRegistry(undefined, settings)
  onTestFinished(() => registry.close())
  const call: Call = (method, path, body, headers) => send(registry.url + path, method, body, headers)
  return {
    ...registry,
    call,
    as:
      (tenant, ...roles) =>
      (method, path, body, headers) =>
        call(method, path, body, { ...identity(tenant, roles), ...headers }),
  }
}

async function send(url: string, method: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as AnswerJson
    },
  }
}

function identity(tenant: string | undefined, roles: readonly string[]): Record<string, string> {
  return {
    'x-identity-status': 'Confirmed',
    'x-user-id': 'somebody',
    'x-roles': roles.join(','),
    ...(tenant !== undefined && { 'x-tenant-id': tenant }),
  }
}
