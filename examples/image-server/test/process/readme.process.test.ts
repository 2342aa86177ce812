import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hasCurlFor } from '../../../../test/docs/curl.ts'
import { codeBlocks } from '../../../../test/docs/markdown.ts'
import { loadConfig } from '../../src/config/load.ts'
import { send } from './client.ts'
import { killAll, start } from './server-process.ts'
import { slowOrigin } from './slow-origin.ts'

const exec = promisify(execFile)
const here = join(import.meta.dirname, '../..')
const blocks = codeBlocks(readFileSync(join(here, 'README.md'), 'utf8')).filter(({ note }) => note !== 'no-test')
const textOf = (language: string) => blocks.filter((block) => block.language === language).map(({ text }) => text)
const EXTERNAL = /https:\/\/download\.cirros-cloud\.net\/[\w./-]+/g

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-readme-'))
})
afterEach(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

describe('the README of the image server', { timeout: 60_000 }, () => {
  it.runIf(hasCurlFor('the README of the image server'))('has curl commands that do what it says', async () => {
    const content = randomBytes(50_000)
    const origin = await slowOrigin(content)
    origin.open()
    const server = await start({ MULLION_DATA_DIR: join(directory, 'data'), ...origin.env })
    const text = textOf('sh')
      .join('\n')
      .replaceAll('http://127.0.0.1:9292', server.url)
      .replaceAll(EXTERNAL, origin.url)
    await exec('bash', ['-c', `set -eu\ncurl() { command curl --fail-with-body "$@"; }\n${text}`], { cwd: directory })
    await vi.waitUntil(async () => (await statuses(server.url))['copied'] === 'active', { timeout: 20_000 })
    expect(await statuses(server.url)).toEqual({ uploaded: 'active', copied: 'active', registered: 'active' })
    await origin.close()
  })

  it('has a configuration that is accepted', () => {
    const [toml = ''] = textOf('toml')
    const key = join(directory, 'key')
    writeFileSync(key, `${randomBytes(32).toString('base64')}\n`)
    const file = join(directory, 'mullion.toml')
    writeFileSync(file, toml.replace('/run/secrets/mullion-key', key).replace('/run/secrets/keystone', key))
    expect(loadConfig(file, {}).config.policy.setImageLocation).toBe('is_admin:True')
  })

  it('has code that runs', async () => {
    const [code = ''] = textOf('ts')
    const args = ['--conditions=@mullion/source', '--input-type=module-typescript', '--eval', code]
    await exec(process.execPath, args, { cwd: here })
  })
})

async function statuses(url: string): Promise<Record<string, string>> {
  const { body } = await send('GET', `${url}/v1/images/detail?is_public=none`)
  const { images } = JSON.parse(body.toString()) as { images: readonly { name: string; status: string }[] }
  return Object.fromEntries(images.map(({ name, status }) => [name, status]))
}
