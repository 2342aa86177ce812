import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../../src/cli/glance/open.ts'
import { parseDatabaseUrl } from '../../src/cli/glance/url.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-glance-tls-'))
  for (const name of ['localhost', 'elsewhere']) {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`]
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    const stdio = { cwd: directory, stdio: 'pipe' } as const
    execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...subject, '-out', `${name}.pem`], stdio)
  }
})
afterAll(() => rmSync(directory, { recursive: true }))

type Greeting = (socket: Socket) => void

/** Protocol::HandshakeV10 of a server that has TLS (0x0800), and reads 4.1 (0x8200) and names of plugins (0x80000). */
const greetMysql: Greeting = (socket) => {
  const capabilities = [0x00, 0x8a, 0x21, 0x02, 0x00, 0x08, 0x00, 21]
  const text = Buffer.from('8.0.40\0')
  const auth = Buffer.from('mysql_native_password\0')
  const body = Buffer.concat([
    Buffer.from([10]),
    text,
    Buffer.from('\u0001\0\0\0saltsalt\0'),
    Buffer.from(capabilities),
    Buffer.alloc(10),
    Buffer.from('saltsaltsalt\0'),
    auth,
  ])
  socket.write(Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]))
}
const waitForPostgres: Greeting = () => {}

interface Wire {
  readonly greet: Greeting
  /** What it answers to the request for TLS. */
  readonly answer: string
  /** Bytes of that request. */
  readonly request: number
}
const WIRES: Readonly<Record<string, Wire>> = {
  'mysql+pymysql': { greet: greetMysql, answer: '', request: 36 },
  postgresql: { greet: waitForPostgres, answer: 'S', request: 8 },
}

/** Speaks a database's protocol up to TLS. Resolves with the port, and tells what came in clear and what within TLS. */
async function listen(scheme: string, name: string) {
  const { greet, answer, request } = WIRES[scheme] as Wire
  const heard = { clear: '', secret: '' }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    greet(socket)
    socket.once('readable', () => {
      const asked = socket.read(Math.min(request, socket.readableLength)) as Buffer | null
      heard.clear += asked?.toString('latin1') ?? ''
      if (asked?.length !== request) return socket.destroy()
      if (answer) socket.write(answer)
      const [key, cert] = [`${name}.key`, `${name}.pem`].map((file) => readFileSync(join(directory, file)))
      const secure = new TLSSocket(socket, { isServer: true, key, cert })
      secure.on('error', () => {})
      return secure.once('data', (text: Buffer) => {
        heard.secret += text.toString('latin1')
        secure.destroy()
      })
    })
  })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { heard, port: (server.address() as AddressInfo).port }
}

async function connect(scheme: string, name: string, query: string) {
  const { heard, port } = await listen(scheme, name)
  const address = parseDatabaseUrl(`${scheme}://glance-user:hunter2@localhost:${port}/images${query}`)
  const error = await openDatabase(address).then(
    () => 'it opened',
    (failure: Error) => failure.message,
  )
  return { ...heard, error }
}

const QUERIES: Readonly<Record<string, (mode: 'identity' | 'origin' | 'nothing', ca: string) => string>> = {
  'mysql+pymysql': (mode, ca) =>
    ({
      identity: `?charset=utf8&ssl_ca=${ca}`,
      origin: `?ssl_mode=VERIFY_CA&ssl_ca=${ca}`,
      nothing: '?ssl_mode=REQUIRED',
    })[mode],
  postgresql: (mode, ca) =>
    ({
      identity: `?sslmode=verify-full&sslrootcert=${ca}`,
      origin: `?sslmode=verify-ca&sslrootcert=${ca}`,
      nothing: '?sslmode=require',
    })[mode],
}

describe.each(Object.keys(WIRES))('the connection of import-glance to %s', (scheme) => {
  const query = (mode: 'identity' | 'origin' | 'nothing', issuer: string) =>
    QUERIES[scheme]?.(mode, join(directory, `${issuer}.pem`)) ?? ''

  it.each([
    ['the server has the name that was asked for', 'identity', 'localhost', 'localhost'],
    ['only the origin is to be verified', 'origin', 'elsewhere', 'elsewhere'],
    ['nothing is to be verified', 'nothing', 'elsewhere', 'elsewhere'],
  ] as const)('logs in within TLS, and says nothing before, when %s', async (_, mode, name, issuer) => {
    const { clear, secret } = await connect(scheme, name, query(mode, issuer))
    expect(clear).not.toContain('glance-user')
    expect(secret).toContain('glance-user')
  })

  it.each([
    ['has another name', 'identity', 'elsewhere', 'elsewhere', /elsewhere/],
    ['comes from somebody else', 'identity', 'localhost', 'elsewhere', /certificate/],
    ['comes from somebody else, whatever its name', 'origin', 'localhost', 'elsewhere', /certificate/],
  ] as const)('does not log in where the certificate %s', async (_, mode, name, issuer, why) => {
    const { clear, secret, error } = await connect(scheme, name, query(mode, issuer))
    expect(error).toMatch(why)
    expect(clear + secret).not.toContain('glance-user')
  })
})
