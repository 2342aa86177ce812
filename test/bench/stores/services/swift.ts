import { sandbox, v1Service } from '../../../../backends/swift/test/support.ts'
import type { OpenedService, Place, Service, Setup, Tool } from '../service.ts'
import { mullion, opendal, rclone } from '../tools.ts'

const ENV = ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'] as const

/** As one object, which is what every program makes of one below 5 GiB unless it is told to. */
export const swiftObject: Service = {
  name: 'swift',
  env: ENV,
  script: 'swift.sh',
  async open(setup) {
    const { SWIFT_AUTH_URL: auth = '', SWIFT_USER: user = '', SWIFT_KEY: key = '' } = setup.settings
    const { storageUrl, token } = await v1Service(auth, user, key).login()
    return opened(setup, {}, [
      ...(await swiftClient(setup, [])),
      ...(await rclone(setup, { type: 'swift', auth, auth_version: '1', user, key })),
      ...(await opendal(setup, 'swift', (container) => ({ endpoint: storageUrl, container, token }))),
    ])
  },
}

/** As a static large object: segments of 200 MiB, five of them at least. */
export const swiftSegments: Service = {
  name: 'swift segments',
  env: ENV,
  script: 'swift.sh',
  async open(setup) {
    const segmentSize = Math.min(200 * 1024 ** 2, Math.ceil(setup.size / 5))
    const flags = ['--use-slo', '--segment-size', String(segmentSize)]
    return opened(setup, { segmentSize, largeObjectSize: segmentSize }, await swiftClient(setup, flags))
  },
}

function opened(setup: Setup, config: Readonly<Record<string, number>>, peers: readonly Tool[]): OpenedService {
  const { SWIFT_AUTH_URL: url = '', SWIFT_USER: user = '', SWIFT_KEY: key = '' } = setup.settings
  const auth = { type: 'v1', url, user, key }
  return {
    tools: [...mullion(setup, 'swift', (container) => ({ auth, container, ...config })), ...peers],
    async place(): Promise<Place> {
      const { container, fetch: ask, remove } = sandbox(v1Service(url, user, key))
      for (const name of [container, `${container}_segments`]) await ask('PUT', `/${name}`)
      return { name: container, [Symbol.asyncDispose]: remove }
    },
  }
}

async function swiftClient({ peers, settings }: Setup, flags: readonly string[]): Promise<readonly Tool[]> {
  const { SWIFT_AUTH_URL = '', SWIFT_USER = '', SWIFT_KEY = '' } = settings
  const env = { ST_AUTH: SWIFT_AUTH_URL, ST_USER: SWIFT_USER, ST_KEY: SWIFT_KEY }
  return (await peers.find('swift')).map(({ path, label }) => ({
    name: label,
    add: ({ place, key, file }) => ({
      program: path,
      args: ['-q', 'upload', ...flags, '--object-name', key, place, file],
      env,
    }),
    get: ({ place, key, file }) => ({ program: path, args: ['-q', 'download', '--output', file, place, key], env }),
  }))
}
