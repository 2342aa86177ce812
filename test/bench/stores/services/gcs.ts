import { randomUUID } from 'node:crypto'
import type { Place, Service, Setup, Tool } from '../service.ts'
import { mullion, opendal, rclone } from '../tools.ts'

export const gcs: Service = {
  name: 'gcs stand-in',
  env: ['GCS_ENDPOINT', 'GCS_PROJECT'],
  script: 'gcs.sh',
  async open(setup) {
    const { GCS_ENDPOINT: endpoint = '', GCS_PROJECT: project = '' } = setup.settings
    return {
      tools: [
        ...mullion(setup, 'gcs', (bucket) => ({ endpoint, bucket })),
        ...(await curl(setup, endpoint)),
        ...(await rclone(setup, {
          type: 'google cloud storage',
          endpoint: `${endpoint}/storage/v1/`,
          anonymous: 'true',
          no_check_bucket: 'true',
        })),
        ...(await opendal(setup, 'gcs', (bucket) => ({
          bucket,
          endpoint,
          allow_anonymous: 'true',
          disable_vm_metadata: 'true',
          disable_config_load: 'true',
        }))),
      ],
      place: () => bucketOn(endpoint, project),
    }
  },
}

/** A request each, which can be neither resumed nor repeated: no client does less. */
async function curl({ peers }: Setup, endpoint: string): Promise<readonly Tool[]> {
  return (await peers.find('curl')).map(({ path, label }) => ({
    name: label,
    add: ({ place, key, file }) => ({
      program: path,
      args: ['-q', '-fsS', '-o', '/dev/null', '-X', 'POST', '-H', 'expect:', '-T', file].concat(
        `${endpoint}/upload/storage/v1/b/${place}/o?uploadType=media&name=${key}`,
      ),
    }),
    get: ({ place, key, file }) => ({
      program: path,
      args: ['-q', '-fsS', '-o', file, `${endpoint}/storage/v1/b/${place}/o/${key}?alt=media`],
    }),
  }))
}

async function bucketOn(endpoint: string, project: string): Promise<Place> {
  const name = `mullion-${randomUUID()}`
  const bucket = `/storage/v1/b/${name}`
  const ask = async (method: string, path: string, body?: string): Promise<Response> => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(endpoint + path, { method, ...(body !== undefined && { headers, body }) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`)
    return answer
  }
  await ask('POST', `/storage/v1/b?project=${project}`, JSON.stringify({ name }))
  return {
    name,
    async [Symbol.asyncDispose]() {
      const { items = [] } = (await (await ask('GET', `${bucket}/o`)).json()) as { items?: { name: string }[] }
      for (const item of items) await ask('DELETE', `${bucket}/o/${encodeURIComponent(item.name)}`)
      await fetch(`${endpoint}/_control/sessions?bucket=${name}`, { method: 'DELETE' }) // unfinished uploads
      await ask('DELETE', bucket)
    },
  }
}
