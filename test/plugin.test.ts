import type { StandardSchemaV1 } from '@standard-schema/spec'
import { createStores, defineStore, type StoreEnv } from 'mullion'
import { describe, expect, it } from 'vitest'
import { anyConfig, failureOf, tiny } from './tiny-store.ts'

const nothing = { read: () => Promise.reject(new Error('x')), stat: () => Promise.reject(new Error('x')) }
const location = { parse: (uri: string) => uri, format: (uri: string) => uri }

function strict(issues: readonly StandardSchemaV1.Issue[]): StandardSchemaV1<unknown, unknown> {
  return { '~standard': { version: 1, vendor: 'test', validate: async () => ({ issues }) } }
}

describe('defineStore', () => {
  it('opens and checks nothing until the stores are created', () => {
    const plugin = defineStore({
      name: 'x',
      schemes: ['x'],
      config: strict([{ message: 'bad' }]),
      location,
      open: () => expect.unreachable(),
    })
    expect(plugin({})).toMatchObject({ plugin: 'x', schemes: ['x'], layers: [] })
  })

  it('checks a configuration without opening anything', async () => {
    const open = (): never => expect.unreachable()
    const issues = [{ message: 'expected text', path: ['user'] }]
    const wrong = defineStore({ name: 'x', schemes: ['x'], config: strict(issues), location, open })({})
    await expect(wrong.validate('images')).rejects.toMatchObject({
      code: 'invalid_config',
      message: 'images: x store: user: expected text',
    })
    await defineStore({ name: 'x', schemes: ['x'], config: anyConfig, location, open })({}).validate('images')
  })

  it('assumes the least of a store that declares nothing', () => {
    const spec = defineStore({ name: 'x', schemes: ['x'], config: anyConfig, location, open: () => nothing })({})
    expect(spec.capabilities).toEqual({
      range: false,
      atomicWrite: false,
      exclusiveWrite: false,
      needsSize: false,
      maxSize: Number.POSITIVE_INFINITY,
      concurrency: Number.POSITIVE_INFINITY,
    })
  })

  it('names store, plugin and key of every fault in a configuration', async () => {
    const config = strict([{ message: 'expected text', path: ['auth', { key: 'user' }] }, { message: 'too many' }])
    const archive = defineStore({ name: 's3', schemes: ['s3'], config, location, open: () => nothing })({})
    const error = await failureOf(createStores({ stores: { archive, a: tiny().spec }, default: 'a' }))
    expect(error).toMatchObject({
      code: 'invalid_config',
      message: 'archive: s3 store: auth.user: expected text; too many',
      details: { plugin: 's3', issues: ['auth.user: expected text', 'too many'] },
    })
  })

  it('hands the store what the schema made of the configuration, and its surroundings', async () => {
    const seen: { config?: unknown; env?: StoreEnv } = {}
    const config: StandardSchemaV1<unknown, number> = {
      '~standard': { version: 1, vendor: 'test', validate: async () => ({ value: 42 }) },
    }
    const spec = defineStore({
      name: 'x',
      schemes: ['x'],
      config,
      location,
      open(value, env) {
        Object.assign(seen, { config: value, env })
        return nothing
      },
    })
    const logged: unknown[] = []
    const log = (...line: readonly unknown[]): void => void logged.push(line)
    await using _stores = await createStores({
      stores: { b: spec({}), a: tiny().spec },
      default: 'a',
      now: () => 7,
      log,
    })
    seen.env?.log('swept', { count: 1 })
    expect(seen).toMatchObject({ config: 42, env: { id: 'b' } })
    expect(seen.env?.now()).toBe(7)
    expect(logged).toEqual([['swept', { store: 'b', count: 1 }]])
  })
})
