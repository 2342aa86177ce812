import { describe, expect, it } from 'vitest'
import { swift, type SwiftConfig } from '@mullion/swift'

const env = { id: 'images', now: () => 0, log: () => {} }
const auth = { type: 'v1', url: 'http://127.0.0.1:1/auth/v1.0', user: 'a:b', key: 'sesame' } as const
const password = { type: 'password', url: 'http://127.0.0.1:1', user: 'u', password: 'sesame', project: 'p' } as const
const open = (config: SwiftConfig) => swift({ staleUploadMs: false, ...config }).open(env)

describe('swift configuration', () => {
  it('needs credentials alone, and opens without asking anybody', async () => {
    const store = await open({ auth })
    expect(store.setAcls).toBeUndefined()
    await store.close()
  })

  it('has access lists where each image has a container', async () => {
    const store = await open({ auth, multiTenant: true })
    expect(store.setAcls).toBeTypeOf('function')
    await store.close()
  })

  it('promises exclusive writes unless nobody looks for other writers', () => {
    expect(swift({ auth }).capabilities).toMatchObject({ range: true, atomicWrite: true, exclusiveWrite: true })
    expect(swift({ auth, exclusiveWaitMs: false }).capabilities.exclusiveWrite).toBe(false)
  })

  it.each<[string, object]>([
    ['auth', { auth: undefined }],
    ['auth', { auth: { type: 'basic', user: 'u' } }],
    ['auth.url', { auth: { ...auth, url: 'ftp://host' } }],
    ['auth.url', { auth: { ...auth, url: 'http://user:sesame@host' } }],
    ['auth.user', { auth: { ...auth, user: 'a\r\nX: y' } }],
    ['user and userId', { auth: { ...password, userId: 'x' } }],
    ['project and projectId', { auth: { ...password, project: undefined } }],
    ['id and name', { auth: { type: 'applicationCredential', url: 'http://h', secret: 'sesame' } }],
    ['needs exactly one', { auth: { type: 'applicationCredential', url: 'http://h', name: 'n', secret: 'sesame' } }],
    ['a token needs', { auth: { type: 'token', token: 'sesame' } }],
    ['container', { container: 'a/b' }],
    ['container', { container: '' }],
    ['container', { container: 'x'.repeat(201) }],
    ['multipleContainersSeed', { multipleContainersSeed: 33 }],
    ['exclude each other', { multiTenant: true, multipleContainersSeed: 2 }],
    ['exclude each other', { multiTenant: true, reference: 'r' }],
    ['segmentsContainer', { multiTenant: true, segmentsContainer: 's' }],
    ['adminTenants', { adminTenants: ['a'] }],
    ['adminTenants.0', { multiTenant: true, adminTenants: ['a,b'] }],
    ['reference', { reference: 'a/b' }],
    ['storageUrl', { storageUrl: 'http://host/v1/x?y' }],
    ['segmentSize', { segmentSize: 0 }],
    ['staleUploadMs', { staleUploadMs: 0 }],
    ['exclusiveWaitMs', { exclusiveWaitMs: 0 }],
    ['idleTimeoutMs', { idleTimeoutMs: 2 ** 31 }],
    ['insecure', { insecure: true }],
  ])('refuses a wrong %s, by its name and without a secret', async (key, config) => {
    const error: unknown = await open({ auth, ...config }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_config', message: expect.stringContaining(key) as string })
    expect(JSON.stringify(error) + String(error)).not.toMatch(/sesame/)
  })
})
