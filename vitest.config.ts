import { defineConfig, type ViteUserConfig } from 'vitest/config'

// Node adds `import` where it applies; given here, it would apply to what packages require as well.
const conditions = ['@mullion/source', 'node', 'default']
const roots = ['test', 'backends/*/test', 'examples/*/test']

/**
 * Unit tests need nothing but Node and a moment. Process tests start programs of this repository, kill them, or run for
 * seconds. Integration tests need the services that test/services starts.
 */
const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: roots.map((root) => `${root}/**/*.test.ts`),
          exclude: ['**/*.{process,integration}.test.ts', '**/node_modules/**'],
          isolate: false, // loading every module anew for every file takes longer than the tests
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: roots.map((root) => `${root}/**/*.process.test.ts`),
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: roots.map((root) => `${root}/**/*.integration.test.ts`),
          maxWorkers: 4, // whatever the cores: they mostly wait for a service or for a fault to be noticed
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})

export default config
