import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { Place, Service, Setup, Tool } from '../service.ts'
import { mullion } from '../tools.ts'

const run = promisify(execFile)

const ENV = ['RBD_CEPH_CONF', 'RBD_USER', 'RBD_POOL', 'RBD_KEYRING', 'RBD_ADMIN_KEYRING'] as const
type Settings = Readonly<Record<(typeof ENV)[number], string>>

export const rbd: Service = {
  name: 'rbd',
  env: ENV,
  script: 'ceph.sh',
  async open(setup) {
    const settings = setup.settings as Settings
    const { RBD_POOL: pool, RBD_USER: user, RBD_CEPH_CONF: confFile, RBD_KEYRING: keyring } = settings
    return {
      tools: [
        ...mullion(setup, 'rbd', (namespace) => ({ pool, namespace, user, confFile, keyring })),
        ...(await program(setup, settings)),
      ],
      place: () => namespaceIn(settings),
    }
  },
}

async function program({ peers }: Setup, settings: Settings): Promise<readonly Tool[]> {
  const { RBD_POOL, RBD_USER, RBD_CEPH_CONF, RBD_KEYRING } = settings
  const args = ['-c', RBD_CEPH_CONF, '--id', RBD_USER, '--keyring', RBD_KEYRING, '--no-progress']
  return (await peers.find('rbd')).map(({ path, label }) => ({
    name: label,
    add: ({ place, key, file }) => ({ program: path, args: [...args, 'import', file, `${RBD_POOL}/${place}/${key}`] }),
    get: ({ place, key, file }) => ({ program: path, args: [...args, 'export', `${RBD_POOL}/${place}/${key}`, file] }),
  }))
}

async function namespaceIn({ RBD_CEPH_CONF, RBD_ADMIN_KEYRING, RBD_POOL }: Settings): Promise<Place> {
  const name = `bench-${randomBytes(6).toString('hex')}`
  const spec = `${RBD_POOL}/${name}`
  const admin = async (...args: readonly string[]): Promise<string> =>
    (await run('rbd', ['-c', RBD_CEPH_CONF, '-n', 'client.admin', '--keyring', RBD_ADMIN_KEYRING, ...args])).stdout
  const list = async <T>(...args: readonly string[]): Promise<readonly T[]> =>
    JSON.parse(await admin(...args, '--format', 'json')) as readonly T[]
  await admin('namespace', 'create', spec)
  return {
    name,
    async [Symbol.asyncDispose]() {
      for (const key of await list<string>('ls', spec)) {
        const image = `${spec}/${key}`
        for (const snap of await list<{ name: string; protected: string }>('snap', 'ls', image)) {
          if (snap.protected === 'true') await admin('snap', 'unprotect', `${image}@${snap.name}`)
          await admin('snap', 'rm', `${image}@${snap.name}`)
        }
        await admin('rm', '--no-progress', image)
      }
      await admin('namespace', 'rm', spec)
    },
  }
}
