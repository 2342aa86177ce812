import { describe, expect, it } from 'vitest'
import { configSchema, type SwiftConfig } from '../src/config.ts'
import { ownOf } from '../src/sweep.ts'

const settings = (config: Partial<SwiftConfig> = {}) =>
  configSchema.parse({ auth: { type: 'v1', url: 'http://h/auth/v1.0', user: 'u', key: 'k' }, ...config })

describe('what a sweep takes for its own', () => {
  const key = '3f2a5b6c'

  it('is what its store would put there today', () => {
    const at = { container: 'glance', object: key }
    const name = `mullion/glance/${key}/1-a/00000001`
    expect(ownOf(settings(), 'glance_segments', name)).toEqual({ place: at, upload: '1-a' })
    expect(ownOf(settings({ segmentsContainer: 's' }), 's', name)).toEqual({ place: at, upload: '1-a' })
    expect(ownOf(settings(), 'glance_segments', `mullion/glance/${key}.claim`)).toEqual({
      place: at,
      upload: undefined,
    })
    const seeded = ownOf(
      settings({ multipleContainersSeed: 2 }),
      'glance_3f_segments',
      `mullion/glance_3f/${key}.claim`,
    )
    expect(seeded?.place.container).toBe('glance_3f')
    const tenant = ownOf(settings({ multiTenant: true }), `glance_${key}`, `mullion/glance_${key}/${key}/1-a/00000001`)
    expect(tenant?.upload).toBe('1-a')
  })

  it.each<[string, Partial<SwiftConfig>, string, string]>([
    ['an earlier seed', { multipleContainersSeed: 2 }, 'glance_segments', `mullion/glance/${key}/1-a/00000001`],
    ['another container', { segmentsContainer: 's' }, 's', `mullion/other/${key}/1-a/00000001`],
    ['another container of segments', {}, 'elsewhere', `mullion/glance/${key}/1-a/00000001`],
    ['a store beside tenants', { multiTenant: true }, 'glance_b_segments', `mullion/glance_b/${key}/1-a/00000001`],
    ['a tenant of that name', { multiTenant: true }, 'glance_b_segments', 'mullion/glance_b/b/1-a/00000001'],
    ['a claim elsewhere', { segmentsContainer: 's' }, 's', `mullion/other/${key}.claim`],
    ['a name that walks', {}, 'glance_segments', 'mullion/glance/../1-a/00000001'],
    ['a name that walks further', {}, 'glance_segments', 'mullion/glance/x/1-a/../../../../glance/victim'],
    ['no segment', {}, 'glance_segments', `mullion/glance/${key}/1-a/notes`],
    ['a stranger', {}, 'glance_segments', `other/glance/${key}/1-a/00000001`],
  ])('is not what belongs to %s', (_what, config, within, name) => {
    expect(ownOf(settings(config), within, name)).toBeUndefined()
  })
})
