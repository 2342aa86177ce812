import type { Actor } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { type Rules, rulePolicy } from '../../src/adapters/rule-policy.ts'

const RULES: Rules = {
  get_images: ['@'],
  get_image: ['@'],
  download_image: ['@'],
  add_image: ['member', 'Uploader'],
  modify_image: ['@'],
  publicize_image: ['admin'],
  copy_from: [],
  upload_image: ['@'],
  set_image_location: ['@'],
  delete_image: ['@'],
}

function actor(roles: readonly string[], admin = false): Actor {
  return { user: 'u', owner: 'o', roles, admin, readOnly: false }
}

describe('a policy of rules', () => {
  const policy = rulePolicy(RULES)

  it('lets everybody do what is open', async () => {
    await expect(policy.enforce('get_image', actor([]))).resolves.toBeUndefined()
  })

  it('asks for one of the roles, in any case', async () => {
    await expect(policy.enforce('add_image', actor(['reader', 'uploader']))).resolves.toBeUndefined()
    await expect(policy.enforce('add_image', actor(['reader']))).rejects.toMatchObject({ code: 'permission_denied' })
  })

  it('means by admin whoever is an administrator, whatever the role is called', async () => {
    await expect(policy.enforce('publicize_image', actor(['boss'], true))).resolves.toBeUndefined()
    await expect(policy.enforce('publicize_image', actor(['member']))).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })

  it('lets nobody do what an empty list closes, administrators included', async () => {
    await expect(policy.enforce('copy_from', actor(['admin'], true))).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })
})
