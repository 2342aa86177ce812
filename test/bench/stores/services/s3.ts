import { type Bucket, bucketOn, CEPH_ENV, cephOf, SWIFT_ENV, swiftOf } from '../../../../backends/s3/test/support.ts'
import { sandbox, v1Service } from '../../../../backends/swift/test/support.ts'
import type { OpenedService, Place, Service, Setup, Tool } from '../service.ts'
import { mullion, opendal, rclone } from '../tools.ts'

export const s3OnCeph: Service = {
  name: 's3 radosgw',
  env: CEPH_ENV,
  script: 'ceph.sh',
  open: (setup) => openS3(setup, cephOf(setup.settings), 'Ceph', (bucket) => bucket.remove()),
}

export const s3OnSwift: Service = {
  name: 's3 swift',
  env: [...SWIFT_ENV, 'SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  script: 'swift.sh',
  open: (setup) =>
    openS3(setup, swiftOf(setup.settings), 'Other', async (bucket) => {
      await bucket.remove()
      const { SWIFT_AUTH_URL = '', SWIFT_USER = '', SWIFT_KEY = '' } = setup.settings
      const { fetch: ask } = sandbox(v1Service(SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY))
      await ask('DELETE', `/${bucket.name}%2Bsegments`) // openstack/swift s3api keeps parts there, and leaves it
    }),
}

type S3Service = Parameters<typeof bucketOn>[0]

async function openS3(
  setup: Setup,
  service: S3Service,
  provider: string,
  remove: (bucket: Bucket) => Promise<void>,
): Promise<OpenedService> {
  const { endpoint, region, accessKeyId, secretAccessKey } = service
  const tools = [
    ...mullion(setup, 's3', (bucket) => ({ ...service, bucket })),
    ...(await aws(setup, service)),
    ...(await rclone(setup, {
      type: 's3',
      provider,
      endpoint,
      region,
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
      no_check_bucket: 'true',
    })),
    ...(await opendal(setup, 's3', (bucket) => ({
      bucket,
      endpoint,
      region,
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
      disable_config_load: 'true',
      disable_ec2_metadata: 'true',
    }))),
  ]
  return {
    tools,
    async place(): Promise<Place> {
      const bucket = bucketOn(service)
      await bucket.make()
      return { name: bucket.name, [Symbol.asyncDispose]: () => remove(bucket) }
    },
  }
}

async function aws({ peers }: Setup, { endpoint, region, ...keys }: S3Service): Promise<readonly Tool[]> {
  const env = {
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_DEFAULT_REGION: region,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    // the trailing checksums of newer versions are for AWS: neither server here takes them
    AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'when_required',
  }
  return (await peers.find('aws')).map(({ path, label }) => {
    const args = ['s3', 'cp', '--only-show-errors', '--endpoint-url', endpoint]
    return {
      name: label,
      add: ({ place, key, file }) => ({ program: path, args: [...args, file, `s3://${place}/${key}`], env }),
      get: ({ place, key, file }) => ({ program: path, args: [...args, `s3://${place}/${key}`, file], env }),
    }
  })
}
