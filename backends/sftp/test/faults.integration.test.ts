import { afterAll } from 'vitest'
import { testFaults } from '../../../test/services/fault-run.ts'
import { describeWithService } from '../../../test/services/require.ts'
import { sftp } from '../src/index.ts'
import { configFor, ENV, makeDirectory, namesIn, removeDirectory } from './support.ts'

describeWithService(ENV, 'sftp.sh', 'sftp store with OpenSSH', (service) => {
  const root = makeDirectory(service)
  afterAll(() => removeDirectory(root))
  const limits = {
    connectTimeoutMs: 1000,
    handshakeTimeoutMs: 2000,
    responseTimeoutMs: 1000,
    staleUploadMs: false,
  } as const

  testFaults({
    name: 'sftp',
    port: Number(service.SFTP_PORT),
    size: 3 * 1024 * 1024,
    open: (port) => sftp(configFor(service, root, { ...limits, port })),
    refused: (port) => sftp(configFor(service, root, { ...limits, port, privateKey: undefined, password: 'wrong' })),
    leftovers: async () => namesIn(root),
  })
})
