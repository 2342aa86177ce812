import type { Acls } from 'mullion'
import { type Account, pathOf } from './account.ts'
import type { SwiftSettings } from './config.ts'
import { failure, statusError } from './errors.ts'
import { refusalOf } from './reply.ts'

/**
 * Who may read and write a container, in the words of the service that checks it: projects for Keystone (swift
 * common/middleware/keystoneauth.py), accounts or `account:user` for v1 (tempauth.py). "Public" is every user of Keystone
 * as with Glance. v1 has no such group, only everybody without a token (OSSN-0025): there it adds nobody.
 */
export async function setAcls(
  account: Account,
  container: string,
  acls: Acls,
  { auth, adminTenants }: Pick<SwiftSettings, 'auth' | 'adminTenants'>,
  signal: AbortSignal,
): Promise<void> {
  const isV1 = auth.type === 'v1'
  const entry = (name: string): string => (isV1 ? checked(name) : `${checked(name)}:*`)
  const readers = acls.public && !isV1 ? ['*:*'] : acls.readers.map(entry)
  const writers = [...new Set([...acls.writers, ...adminTenants])].map(entry)
  const headers = { 'x-container-read': readers.join(','), 'x-container-write': writers.join(',') }
  const call = { method: 'POST', path: pathOf(container), headers, body: new Uint8Array(), signal } as const
  const reply = await account.request(call)
  if (reply.status !== 204 && reply.status !== 202) throw statusError(refusalOf(reply), `POST ${container}`)
}

/** A name that is one entry of a list, and not one of the words that begin with a dot. */
function checked(name: string): string {
  if (/^[^\s,.*\p{Cc}][^\s,*\p{Cc}]*$/u.test(name)) return name
  throw failure('invalid_argument', 'acls: expected names of projects or accounts', { name: 'acls' })
}
