import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRemoteRegistry, type RemoteRegistryConfig } from '@mullion/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../../../examples/image-server/test/registry/registry.ts'
import { IDS, image } from '../../sql/test/contract/ports.ts'

const [ID] = IDS
let directory: string
let registry: TestRegistry
let front: Server
let url: string

const path = (name: string): string => join(directory, name)
const openssl = (...args: readonly string[]): Buffer => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A certificate of our authority, for this name. */
function certify(name: string, alternative: string): void {
  writeFileSync(path(`${name}.cnf`), `subjectAltName=${alternative}\n`)
  openssl('req', ...KEY, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.cnf`]
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`)
}

/** What stands before a registry to encrypt: it wants the certificate of who comes, and passes the request on. */
function frontOf(port: number): Server {
  const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => readFileSync(path(name)))
  return createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (incoming, outgoing) => {
    const { method, url: target, headers } = incoming
    const passed = request({ host: '127.0.0.1', port, method, path: target, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(passed)
  })
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-tls-'))
  openssl('req', '-x509', ...KEY, '-days', '2', '-subj', '/CN=test-ca', '-keyout', 'ca.key', '-out', 'ca.pem')
  certify('server', 'IP:127.0.0.1')
  certify('client', 'DNS:client')
  registry = await startRegistry()
  await registry.ports.images.insert(image())
  front = frontOf(registry.port)
  await once(front.listen(0, '127.0.0.1'), 'listening')
  url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
})
afterAll(async () => {
  front.closeAllConnections()
  front.close()
  await registry.close()
  rmSync(directory, { recursive: true })
})

async function read(config: Partial<RemoteRegistryConfig>): Promise<string> {
  const remote = await openRemoteRegistry({ url, ...config })
  try {
    return (await remote.images.get(ID)).id
  } finally {
    await remote.close()
  }
}

describe('a registry behind TLS', () => {
  it('is read by who trusts its authority and shows a certificate, given as files or as text', async () => {
    expect(await read({ ca: path('ca.pem'), cert: path('client.pem'), key: path('client.key') })).toBe(ID)
    const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => readFileSync(path(name), 'utf8'))
    expect(await read({ ca, cert, key })).toBe(ID)
  })

  it('is not believed without its authority: that is not worth another try', async () => {
    await expect(read({ cert: path('client.pem'), key: path('client.key') })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringMatching(/the TLS connection was refused: (SELF_SIGNED|UNABLE_TO)/) as string,
    })
  })

  it('lets in nobody without a certificate', async () => {
    await expect(read({ ca: path('ca.pem') })).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is not believed under another name', async () => {
    const config = { ca: path('ca.pem'), cert: path('client.pem'), key: path('client.key') }
    const named = { ...config, url: url.replace('127.0.0.1', 'localhost') }
    await expect(read(named)).rejects.toThrow('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('wants a key that fits its certificate', async () => {
    const config = { ca: path('ca.pem'), cert: path('client.pem'), key: path('server.key') }
    await expect(read(config)).rejects.toMatchObject({ code: 'invalid_config' })
  })
})
