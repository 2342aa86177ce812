import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importsOf, violation } from './import-rules.ts'

const root = join(import.meta.dirname, '../..')
const packages = ['.', ...globSync('{backends,examples}/*/package.json', { cwd: root }).map((file) => join(file, '..'))]

function dependenciesOf(directory: string): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
    peerDependencies?: Record<string, string>
  }
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
}

describe('imports', () => {
  it.each(packages)('of the sources in %s follow the architecture', (directory) => {
    const dependencies = dependenciesOf(directory)
    const files = globSync(join(directory, 'src/**/*.ts'), { cwd: root })
    const wrong = files
      .flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
      .map((found) => ({ ...found, why: violation(found, dependencies) }))
      .filter(({ why }) => why !== undefined)
    expect(files.length).toBeGreaterThan(0)
    expect(wrong.map(({ file, specifier, why }) => `${file}: ${specifier}: ${why}`)).toEqual([])
  })

  it.each([
    ['src/errors.ts', './store.ts', 'errors lies below store'],
    ['src/bytes.ts', './add.ts', 'bytes lies below add'],
    ['src/add.ts', './stores.ts', 'add lies below stores'],
    ['src/stores.ts', './images/image.ts', '. may not import images'],
    ['src/images/upload.ts', '../testkit/index.ts', 'images may not import testkit'],
    ['src/layers/timeout.ts', '../../backends/file/src/index.ts', 'leaves the sources of the core'],
    ['src/hash.ts', 'zod', 'node:* and types only'],
    ['backends/file/src/index.ts', '../../../src/store.ts', 'leaves the sources of the package'],
    ['backends/file/src/index.ts', 'mullion/src/store.ts', 'deep path'],
    ['backends/file/src/index.ts', 'got', 'got is no dependency'],
    ['backends/sql/src/index.ts', '@mullion/file', 'knows no other package'],
  ])('from %s of %s is refused', (file, specifier, why) => {
    expect(violation({ file, specifier, typeOnly: false }, ['mullion', '@mullion/file'])).toContain(why)
  })

  it('are found in every form', () => {
    const text = `import a from 'a'; import type { B } from 'b'; export { c } from 'c'; const d = await import('d')`
    expect(importsOf('src/x.ts', text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
      ['d', false],
    ])
  })
})
