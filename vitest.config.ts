import { defineConfig, type ViteUserConfig } from 'vitest/config'

const conditions = ['@mullion/source', 'node', 'import', 'default']
const roots = ['test', 'backends/*/test', 'examples/*/test']

/** Unit tests need nothing but Node; integration tests need the services that test/services starts. */
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
          exclude: ['**/*.integration.test.ts', '**/node_modules/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: roots.map((root) => `${root}/**/*.integration.test.ts`),
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})

export default config
