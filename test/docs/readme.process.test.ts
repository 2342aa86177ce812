import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startImageServer } from '../bench/server-process.ts'
import { command } from '../package/command.ts'
import { hasCurlFor } from './curl.ts'
import { codeBlocks } from './markdown.ts'

const root = join(import.meta.dirname, '../..')
const blocks = codeBlocks(readFileSync(join(root, 'README.md'), 'utf8')).filter(({ note }) => note !== 'no-test')
const EXTERNAL = /https:\/\/download\.cirros-cloud\.net\/[\w./-]+/g

let scratch: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'mullion-readme-'))
  await symlink(join(root, 'node_modules'), join(scratch, 'node_modules'))
  await writeFile(join(scratch, 'disk.img'), randomBytes(100_000))
})

afterAll(() => rm(scratch, { recursive: true }))

describe('the README', { timeout: 60_000 }, () => {
  it.each(blocks.filter(({ language }) => language === 'ts'))(
    'has code that runs (line $line)',
    async ({ line, text }) => {
      const name = `readme-${line}.mts`
      await writeFile(join(scratch, name), text)
      await command(process.execPath, ['--conditions=@mullion/source', name], { cwd: scratch })
    },
  )

  it.runIf(hasCurlFor('the README'))('has curl commands that succeed, one after the other', async () => {
    const data = randomBytes(50_000)
    const source = createServer((_, response) => response.setHeader('content-length', data.byteLength).end(data))
    await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve))
    const external = `http://127.0.0.1:${(source.address() as AddressInfo).port}/disk.img`
    try {
      const env = { MULLION_STORES_HTTP_ALLOW: '["127.0.0.1"]' }
      await using server = await startImageServer({ dataDir: join(scratch, 'data'), env })
      await command('bash', ['-c', script(server.url, external)], { cwd: scratch })
      await expect
        .poll(() => statuses(server.url), { timeout: 20_000 })
        .toEqual({
          uploaded: ['active', 1_048_576],
          copied: ['active', data.byteLength],
          registered: ['active', data.byteLength],
          reserved: ['active', 1_048_576],
        })
    } finally {
      source.close()
      source.closeAllConnections()
    }
  })
})

/** The commands as they stand, against another address; a status that is no success ends the script. */
function script(url: string, external: string): string {
  const commands = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text)
  const text = commands.join('\n').replaceAll('http://127.0.0.1:9292', url).replaceAll(EXTERNAL, external)
  expect(text).not.toMatch(/https?:\/\/(?!127\.0\.0\.1:)/)
  return `set -eu\ncurl() { command curl --fail-with-body "$@"; }\n${text}`
}

async function statuses(url: string): Promise<Record<string, readonly [string, number]>> {
  const response = await fetch(`${url}/v1/images/detail?is_public=none`)
  const { images } = (await response.json()) as { images: readonly { name: string; status: string; size: number }[] }
  return Object.fromEntries(images.map(({ name, status, size }) => [name, [status, size] as const]))
}
