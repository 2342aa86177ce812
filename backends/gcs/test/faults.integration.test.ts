import { testFaults } from '../../../test/services/fault-run.ts'
import { describeWithService } from '../../../test/services/require.ts'
import { gcs } from '../src/index.ts'
import { bucketOn, CHUNK } from './service.ts'

const limits = { connectTimeoutMs: 1000, responseTimeoutMs: 1000, idleTimeoutMs: 1000, uploadAttempts: 3 }

describeWithService(['GCS_ENDPOINT', 'GCS_AUTH_ENDPOINT'], 'gcs.sh', 'gcs', (service) => {
  const bucket = bucketOn(service.GCS_ENDPOINT)
  const at = (port: number): string => `http://127.0.0.1:${port}`
  testFaults({
    name: 'gcs',
    port: Number(new URL(service.GCS_ENDPOINT).port),
    open: (port) => gcs(bucket.config({ ...limits, endpoint: at(port) })),
    leftovers: bucket.list,
    size: 4 * CHUNK + 1000,
    sweep: bucket.endUploads, // uploads cannot be listed or ended without their address: Google does it after a week
  })
  testFaults({
    name: 'gcs with credentials',
    port: Number(new URL(service.GCS_AUTH_ENDPOINT).port),
    open: (port) => gcs(bucket.config({ ...limits, endpoint: at(port), keyFile: process.env['GCS_CREDENTIALS_FILE'] })),
    leftovers: bucket.list,
    size: 3 * CHUNK,
    sweep: bucket.endUploads,
    refused: (port) => gcs(bucket.config({ ...limits, endpoint: at(port) })),
  })
})
