import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { Service } from './support.ts'

const run = promisify(execFile)

/** A user of radosgw, made by its own tool. */
export interface CephUser {
  readonly service: Service
  remove(): Promise<void>
}

/** `quota`: bytes of all its objects. */
export async function cephUser(service: Service, conf: string, quota?: number): Promise<CephUser> {
  const uid = `mullion-${randomUUID()}`
  const admin = async (...words: readonly string[]): Promise<void> => {
    await run('radosgw-admin', ['-c', conf, '-n', 'client.admin', ...words, `--uid=${uid}`])
  }
  const secret = randomUUID()
  await admin('user', 'create', '--display-name=test', `--access-key=${uid}`, `--secret-key=${secret}`)
  if (quota !== undefined) {
    await admin('quota', 'set', '--quota-scope=user', `--max-size=${quota}B`)
    await admin('quota', 'enable', '--quota-scope=user')
  }
  return {
    service: { ...service, accessKeyId: uid, secretAccessKey: secret },
    remove: () => admin('user', 'rm', '--purge-data'),
  }
}

/** What Swift's own API needs; its settings have these names. */
export interface SwiftLogin {
  readonly SWIFT_AUTH_URL: string
  readonly SWIFT_USER: string
  readonly SWIFT_KEY: string
}

/** Lets a container take so many bytes and no more. */
export async function limitContainer(login: SwiftLogin, container: string, bytes: number): Promise<void> {
  const headers = { 'x-auth-user': login.SWIFT_USER, 'x-auth-key': login.SWIFT_KEY }
  const signedIn = await fetch(login.SWIFT_AUTH_URL, { headers })
  const token = signedIn.headers.get('x-auth-token') ?? ''
  const changed = await fetch(`${signedIn.headers.get('x-storage-url')}/${container}`, {
    method: 'POST',
    headers: { 'x-auth-token': token, 'x-container-meta-quota-bytes': String(bytes) },
  })
  if (!changed.ok) throw new Error(`Swift answered ${changed.status} to a quota`)
}
