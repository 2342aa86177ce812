import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from '../measure.ts'
import type { Place, Service, Setup, Tool, Transfer } from '../service.ts'
import { mullion, opendal } from '../tools.ts'

const OBJECT = 'object'

export const http: Service = {
  name: 'http',
  env: ['HTTP_URL', 'HTTP_ROOT'],
  script: 'http.sh',
  async open(setup) {
    const { HTTP_URL: url = '', HTTP_ROOT: root = '' } = setup.settings
    const { hostname, port } = new URL(url)
    const guard = { allow: [hostname], ports: [Number(port)] }
    return {
      tools: [
        ...reading(
          mullion(setup, 'http', () => guard),
          (place) => `${url}/${place}/${OBJECT}`,
        ),
        ...(await curl(setup, (place) => `${url}/${place}/${OBJECT}`)),
        ...reading(await opendal(setup, 'http', (place) => ({ endpoint: url, root: `/${place}` })), () => ''),
      ],
      async place(): Promise<Place> {
        const path = await mkdtemp(join(root, 'bench-'))
        await chmod(path, 0o755)
        await copyFile(setup.sample, join(path, OBJECT))
        return { name: basename(path), [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
      },
    }
  },
}

/** Without what cannot be done here, and with what would have been added. */
function reading(tools: readonly Tool[], urlOf: (place: string) => string): readonly Tool[] {
  return tools.flatMap(({ name, start, get }) => {
    if (!get) return []
    const ask = (transfer: Transfer): Command => get({ ...transfer, key: OBJECT, added: urlOf(transfer.place) })
    return [{ name, ...(start && { start }), get: ask }]
  })
}

async function curl({ peers }: Setup, urlOf: (place: string) => string): Promise<readonly Tool[]> {
  return (await peers.find('curl')).map(({ path, label }) => ({
    name: label,
    get: ({ place, file }) => ({ program: path, args: ['-q', '-fsS', '-o', file, urlOf(place)] }),
  }))
}
