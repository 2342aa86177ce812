import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place, Service, Setup, Tool } from '../service.ts'
import { mullion, opendal } from '../tools.ts'

export const file: Service = {
  name: 'file',
  env: [],
  async open(setup) {
    return {
      tools: [
        ...mullion(setup, 'file', (dir) => ({ dir })),
        ...(await cp(setup)),
        ...(await opendal(setup, 'fs', (root) => ({ root }))),
      ],
      async place(): Promise<Place> {
        const name = await mkdtemp(join(setup.dir, 'mullion-bench-file-'))
        return { name, [Symbol.asyncDispose]: () => rm(name, { recursive: true }) }
      },
    }
  },
}

/** Durable as the file store is: the file and its directory are flushed. */
async function cp({ peers }: Setup): Promise<readonly Tool[]> {
  return (await peers.find('cp')).map(({ path, label }) => ({
    name: `${label}, sync`,
    add: ({ place, key, file: from }) => ({
      program: 'sh',
      args: ['-c', '"$0" -- "$1" "$2" && sync -- "$2" "$3"', path, from, join(place, key), place],
    }),
    get: ({ place, key, file: to }) => ({ program: path, args: ['--', join(place, key), to] }),
  }))
}
