import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

interface Locked {
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, Locked>> }

describe('the lockfile', () => {
  it('names no host, so that it works with any registry', () => {
    const hosts = Object.values(packages).filter(({ resolved }) => resolved?.includes('://'))
    expect(hosts).toEqual([])
  })

  // npm leaves out what the registry at hand does not have, and `npm ci` then refuses the lockfile.
  it('has the packages of every platform', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !isLocked(path, name)),
    )
    expect(missing).toEqual([])
  })
})

describe('dependencies', () => {
  const manifests = ['package.json', ...globSync('{test,backends/*,examples/*}/package.json', { cwd: root })]

  it.each(manifests)('have exact versions in %s', (file) => {
    const { dependencies, devDependencies, optionalDependencies } = read(file) as Record<string, Record<string, string>>
    const versions = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    const loose = versions.filter(
      ([name, version]) => !/^@?mullion(\/|$)/.test(name) && !/^\d+\.\d+\.\d+$/.test(version),
    )
    expect(loose).toEqual([])
  })
})

/** Whether a package at `path` finds `name` in its own node_modules or one further up. */
function isLocked(path: string, name: string): boolean {
  if (`${path === '' ? '' : `${path}/`}node_modules/${name}` in packages) return true
  if (path === '') return false
  const parent = path.lastIndexOf('/node_modules/')
  return isLocked(parent === -1 ? '' : path.slice(0, parent), name)
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(root, file), 'utf8'))
}
