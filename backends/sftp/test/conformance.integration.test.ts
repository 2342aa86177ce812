import { chmodSync, chownSync } from 'node:fs'
import { testStore } from 'mullion/testkit'
import { afterAll, describe, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { sftp } from '../src/index.ts'
import {
  configFor,
  ENV,
  makeDirectory,
  mountDisk,
  mountRefusal,
  namesIn,
  openFilesIn,
  removeDirectory,
  type Service,
} from './support.ts'

describeWithService(ENV, 'sftp.sh', 'sftp store with OpenSSH', (service) => {
  const root = makeDirectory(service)
  const shut = shutDirectory(service)
  const small = mountRefusal(service) === undefined ? mountDisk(service, 512) : undefined
  const roots = [root, shut, ...(small ? [small.path] : [])]
  afterAll(() => {
    small?.unmount()
    removeDirectory(root)
    removeDirectory(shut)
  })

  testStore(
    { describe, it },
    {
      name: 'sftp',
      unit: 255 * 1024,
      open: () => sftp(configFor(service, root)),
      leftovers: () => roots.flatMap(namesIn),
      handles: () => openFilesIn(root),
      refusing: {
        ...(small && { storage_full: () => sftp(configFor(service, small.path)) }),
        permission_denied: () => sftp(configFor(service, shut)),
        unauthenticated: () => sftp(configFor(service, root, { privateKey: undefined, password: 'wrong' })),
      },
    },
  )
})

/** Everybody may look into it, nobody but root may write. */
function shutDirectory(service: Service): string {
  const path = makeDirectory(service)
  chownSync(path, 0, 0)
  chmodSync(path, 0o755)
  return path
}
