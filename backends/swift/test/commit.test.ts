import { describe, expect, it } from 'vitest'
import type { Account } from '../src/account.ts'
import type { Client } from '../src/client.ts'
import { type Job, verified } from '../src/commit.ts'
import { configSchema } from '../src/config.ts'
import type { Reply } from '../src/reply.ts'
import { limitsOf, type Tools } from '../src/tools.ts'

const HEAD = { 'content-length': '3', etag: 'abc', 'x-object-meta-mullion-upload': '1-a' }
const settings = configSchema.parse({ auth: { type: 'v1', url: 'http://h', user: 'u', key: 'k' } })

/** A job whose account gives these statuses, the last of them for ever. */
function jobWith(...statuses: readonly number[]): { readonly job: Job; readonly asked: string[] } {
  const asked: string[] = []
  const request: Account['request'] = async ({ method }): Promise<Reply> => {
    const status = statuses[Math.min(asked.length, statuses.length - 1)] ?? 200
    asked.push(method)
    return { status, headers: HEAD, text: '' }
  }
  const account = { request } as Account
  const env = { id: 's', now: Date.now, log: () => {} }
  const tools: Tools = { settings, client: {} as Client, account, env, limits: limitsOf({} as Client, account) }
  const at = { form: 'reference', reference: 'r', uri: '', container: 'c', object: 'o' } as const
  const options = { signal: new AbortController().signal, announce: async () => {}, alive() {} }
  return { job: { tools, place: { container: 'c', object: 'o' }, at, upload: '1-a', options }, asked }
}

const held = { isExclusive: true, isKept: async () => true, release: async () => {} }

describe('the last look at a complete upload', () => {
  it('is repeated when the server is busy, and deletes nothing', async () => {
    const { job, asked } = jobWith(503, 503, 200)
    await verified(job, held, { size: 3, etag: 'abc' })
    expect(asked).toEqual(['HEAD', 'HEAD', 'HEAD'])
  })

  it('is not repeated when the answer is final', async () => {
    const { job, asked } = jobWith(403)
    await expect(verified(job, held, { size: 3, etag: 'abc' })).rejects.toMatchObject({ code: 'permission_denied' })
    expect(asked.length).toBeLessThan(4)
  })

  it('takes back what is not what was written', async () => {
    const { job, asked } = jobWith(200)
    await expect(verified(job, held, { size: 4, etag: 'abc' })).rejects.toMatchObject({ code: 'unavailable' })
    expect(asked).toEqual(['HEAD', 'HEAD', 'DELETE'])
  })
})
