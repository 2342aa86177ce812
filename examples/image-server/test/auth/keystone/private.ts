import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const SCRIPT = resolve(import.meta.dirname, '../../../../../test/services/keystone.sh')

/** A Keystone of a test's own, which it may stop. */
export interface PrivateKeystone {
  readonly url: string
  stop(): Promise<void>
  start(): Promise<void>
  remove(): Promise<void>
}

/** Not started yet. Tokens live for so many seconds, and may be vouched for by a service for an hour after that. */
export function privateKeystone(tokenSeconds: number): PrivateKeystone {
  const dir = mkdtempSync(join(tmpdir(), 'mullion-keystone-'))
  const base = freePort().then((port) => port - 50) // keystone.sh adds this
  let url: string | undefined

  async function run(verb: string): Promise<string> {
    const env = {
      ...process.env,
      MULLION_SERVICES_DIR: dir,
      MULLION_PORT_BASE: String(await base),
      MULLION_TOKEN_SECONDS: String(tokenSeconds),
      OS_TOKEN__ALLOW_EXPIRED_WINDOW: '3600', // oslo.config reads options from here too
    }
    return (await promisify(execFile)('bash', [SCRIPT, verb], { env })).stdout
  }

  return {
    get url() {
      if (url === undefined) throw new Error('not started')
      return url
    },
    stop: async () => void (await run('down')),
    async start() {
      url = /^export KEYSTONE_AUTH_URL=(\S+)$/m.exec(await run('up'))?.[1]
    },
    async remove() {
      await run('purge')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
