import { testStore } from 'mullion/testkit'
import { describe, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { gcs } from '../src/index.ts'
import { bucketOn, CHUNK } from './service.ts'

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'gcs store without credentials', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)
  testStore({ describe, it }, { name: 'gcs', unit: CHUNK, open: () => gcs(bucket.config()), leftovers: bucket.list })
})

describeWithService(
  ['GCS_ENDPOINT', 'GCS_AUTH_ENDPOINT', 'GCS_CREDENTIALS_FILE'],
  'gcs.sh',
  'gcs store with a service account',
  ({ GCS_ENDPOINT, GCS_AUTH_ENDPOINT: endpoint, GCS_CREDENTIALS_FILE: keyFile }) => {
    const bucket = bucketOn(GCS_ENDPOINT)
    testStore(
      { describe, it },
      {
        name: 'gcs',
        unit: CHUNK,
        open: () => gcs(bucket.config({ endpoint, keyFile, prefix: 'images/' })),
        leftovers: bucket.list,
        refusing: { unauthenticated: () => gcs(bucket.config({ endpoint })) },
      },
    )
  },
)
