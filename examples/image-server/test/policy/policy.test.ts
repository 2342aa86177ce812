import { type Actor, type Image, newImage, publicImage, type PublicImage } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { rulesWith } from '../../src/policy/defaults.ts'
import { inlinePolicy, openPolicy } from '../../src/policy/open.ts'
import { type RulePolicy, rulePolicy } from '../../src/policy/policy.ts'
import { parsePolicy } from '../../src/policy/policy-file.ts'

function actor(facts: Partial<Actor> = {}): Actor {
  return { user: 'u1', tenant: 'p1', owner: 'p1', roles: ['member'], admin: false, readOnly: false, ...facts }
}

function image(facts: Partial<Image> = {}): PublicImage {
  return publicImage({ ...newImage({ id: 'i1', owner: 'p1' }, new Date(), () => ''), ...facts })
}

function filed(text: string, adminRole = 'admin'): RulePolicy {
  const rules = parsePolicy('policy', text)
  return rulePolicy(() => rules, adminRole)
}

const DENIED = expect.objectContaining({ code: 'permission_denied' })
const SILENT = { info() {}, error() {} }

describe('the policy without a file', () => {
  const policy = rulePolicy(() => rulesWith({}), 'admin')

  it('lets everybody do what is not for administrators, as Glance', async () => {
    for (const action of ['get_images', 'add_image', 'download_image', 'copy_from', 'modify_member'] as const) {
      await expect(policy.enforce(action, actor({ roles: [] }))).resolves.toBeUndefined()
    }
  })

  it('S-45: has the public shown only what an administrator publishes', async () => {
    await expect(policy.enforce('publicize_image', actor())).rejects.toEqual(DENIED)
    await expect(policy.enforce('manage_image_cache', actor())).rejects.toEqual(DENIED)
    await expect(policy.enforce('publicize_image', actor({ roles: ['boss'], admin: true }))).resolves.toBeUndefined()
  })
})

describe('a policy of rules', () => {
  it('gives the image to download_image as one table, fields before properties of their names', async () => {
    const policy = filed("download_image: \"'yes':%(licensed)s and tenant:%(owner)s and 'active':%(status)s\"")
    const properties = new Map([
      ['licensed', 'yes'],
      ['owner', 'p1'],
      ['status', 'queued'],
    ])
    const theirs = image({ owner: 'p2', status: 'active', properties })
    await expect(policy.enforce('download_image', actor(), theirs)).rejects.toEqual(DENIED)
    await expect(policy.enforce('download_image', actor({ tenant: 'p2' }), theirs)).resolves.toBeUndefined()
    await expect(
      policy.enforce('download_image', actor({ tenant: 'p2' }), { ...theirs, properties: new Map() }),
    ).rejects.toEqual(DENIED)
  })

  it.each([
    ["'public':%(visibility)s", true],
    ['True:%(is_public)s', true],
    ['False:%(protected)s', true],
    ["'':%(checksum)s", false],
    ['None:%(checksum)s', true],
    ["'qcow2':%(disk_format)s", true],
    ['3:%(min_disk)s', true],
    ["'i1':%(id)s", true],
    ["'x':%(location)s", false],
  ])('calls the fields as Images v1 does: %s', async (rule, expected) => {
    const policy = filed(JSON.stringify({ download_image: rule }))
    const given = image({ visibility: 'public', diskFormat: 'qcow2', minDisk: 3 })
    const decision = policy.enforce('download_image', actor(), given).then(
      () => true,
      () => false,
    )
    expect(await decision).toBe(expected)
  })

  it('has nothing to compare with where no image is given', async () => {
    await expect(filed('delete_image: tenant:%(owner)s').enforce('delete_image', actor())).rejects.toEqual(DENIED)
  })

  it('says which rule refused, and nothing of the caller', async () => {
    await expect(filed('{}').enforce('add_image', actor())).rejects.toThrow('add_image: the policy does not allow it')
  })

  it('S-67: never changes who asks', async () => {
    const asking = Object.freeze({ ...actor({ roles: Object.freeze(['member']) }) })
    const policy = filed('context_is_admin: role:member\nadd_image: role:member and is_admin:False')
    expect(policy.admits(asking)).toBe(true)
    await expect(policy.enforce('add_image', asking)).resolves.toBeUndefined()
    expect(policy.allows('add_image', asking)).toBe(true)
    expect(asking).toEqual(actor())
  })
})

describe('an administrator (Images v1 §2.2)', () => {
  it('is one by the role, in any case, or by the rule context_is_admin', () => {
    const policy = filed('context_is_admin: role:cloud and project_id:ops', 'Boss')
    expect(policy.admits(actor({ roles: ['boss'] }))).toBe(true)
    expect(policy.admits(actor({ roles: ['cloud'], tenant: 'ops' }))).toBe(true)
    expect(policy.admits(actor({ roles: ['cloud'] }))).toBe(false)
    expect(policy.admits(actor({ roles: ['admin'] }))).toBe(false)
    expect(policy.admits(actor({ roles: [] }))).toBe(false)
  })

  it('is not one because of being one', () => {
    const claimed: Parameters<RulePolicy['admits']>[0] = actor({ admin: true, roles: [] })
    expect(filed('context_is_admin: is_admin:True').admits(claimed)).toBe(false)
  })
})

describe('the policy of the configuration', () => {
  function configured(env: Record<string, string>): RulePolicy {
    return openPolicy(loadConfig(undefined, env).config.policy, 'admin', SILENT)
  }

  it('replaces the rules of Glance one by one', async () => {
    const policy = configured({ MULLION_POLICY_ADD_IMAGE: 'role:uploader or rule:context_is_admin' })
    await expect(policy.enforce('add_image', actor())).rejects.toEqual(DENIED)
    await expect(policy.enforce('add_image', actor({ roles: ['uploader'] }))).resolves.toBeUndefined()
    await expect(policy.enforce('add_image', actor({ roles: ['admin'] }))).resolves.toBeUndefined()
    await expect(policy.enforce('delete_image', actor())).resolves.toBeUndefined()
  })

  it.each([
    [{ MULLION_POLICY_ADD_IMAGE: 'uploader' }, 'MULLION_POLICY_ADD_IMAGE: policy.add_image: expected a check such as'],
    [
      { MULLION_POLICY_ADD_IMAGE: 'rule:delete_image', MULLION_POLICY_DELETE_IMAGE: 'rule:add_image' },
      'policy: add_image: the rules go in a circle: add_image -> delete_image -> add_image',
    ],
    [{ MULLION_POLICY_ADD_IMAGE: 'rule:owner' }, 'policy: add_image: expected a rule owner, or a rule default'],
    [
      { MULLION_POLICY_ADD_IMAGE: '@', MULLION_POLICY_FILE: '/etc/policy.json' },
      'MULLION_POLICY_ADD_IMAGE: policy.add_image: expected no rule beside policy.file',
    ],
    [{ MULLION_POLICY_FILE: '/nonexistent/policy.json' }, '/nonexistent/policy.json: no such file'],
  ])('is refused: %j', (env, message) => {
    expect(() => configured(env)).toThrow(message)
  })

  it('may be made without a configuration', async () => {
    const policy = inlinePolicy({ add_image: 'role:uploader' }, 'admin')
    await expect(policy.enforce('add_image', actor())).rejects.toEqual(DENIED)
    expect(() => inlinePolicy({ add_image: 'uploader' }, 'admin')).toThrow(
      'policy: add_image: expected a check such as',
    )
  })
})
