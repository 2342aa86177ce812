import type { Options } from 'tsup'

const shared: Options = {
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  sourcemap: true,
  clean: true,
  // Some modules of Node have no name without the prefix, such as node:sqlite.
  removeNodeProtocol: false,
  // No package is bundled into another one: who installs two of them gets one copy of what they share.
  skipNodeModulesBundle: true,
}

// `tsc` enforces isolated declarations; bundling them needs the inferred types as well.
const declarations = { compilerOptions: { isolatedDeclarations: false } }

/** The types of Standard Schema are copied into the declarations, so that the core depends on nothing. */
const core: Options = {
  ...shared,
  name: 'mullion',
  entry: {
    index: 'src/index.ts',
    layers: 'src/layers/index.ts',
    images: 'src/images/index.ts',
    testkit: 'src/testkit/index.ts',
    // a file of its own because it is the start of a thread
    'hash-thread': 'src/hash/thread.ts',
  },
  dts: { ...declarations, resolve: ['@standard-schema/spec'] },
  outDir: 'dist',
}

function workspace(name: string, directory: string, entry: readonly string[]): Options {
  return {
    ...shared,
    name,
    entry: entry.map((file) => `${directory}/src/${file}`),
    // The bin exports nothing; the declarations are those of the entry that does.
    dts: { ...declarations, entry: `${directory}/src/index.ts` },
    outDir: `${directory}/dist`,
  }
}

const builds: Options[] = [
  core,
  workspace('@mullion/file', 'backends/file', ['index.ts']),
  workspace('@mullion/gcs', 'backends/gcs', ['index.ts']),
  workspace('@mullion/http', 'backends/http', ['index.ts']),
  // the second entry is the start of a process
  workspace('@mullion/rbd', 'backends/rbd', ['index.ts', 'child.ts']),
  workspace('@mullion/registry', 'backends/registry', ['index.ts']),
  workspace('@mullion/s3', 'backends/s3', ['index.ts']),
  workspace('@mullion/sftp', 'backends/sftp', ['index.ts']),
  workspace('@mullion/sql', 'backends/sql', ['index.ts']),
  workspace('@mullion/swift', 'backends/swift', ['index.ts']),
  workspace('@mullion/image-server', 'examples/image-server', ['index.ts', 'main.ts', 'mullion.ts', 'registry.ts']),
]

export default builds
