import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { META, OCTETS, send } from '../process/client.ts'
import { killAll, run, start } from '../process/server-process.ts'

let directory: string
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'mullion-access-'))))
afterEach(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

async function upload(url: string, headers: Readonly<Record<string, string>> = {}): Promise<readonly [number, string]> {
  const all = { ...OCTETS, ...META, ...headers }
  const { status, body } = await send('POST', `${url}/v1/images`, all, Buffer.from('data'))
  return [status, body.toString()]
}

describe('a policy and protections on the real server', { timeout: 30_000 }, () => {
  it('are obeyed, and a policy that changes is without a restart', async () => {
    const policy = file('policy.json', '{"default": "@", "owners": "is_admin:True"}')
    const protections = '[^x_]\ncreate = owners\nread = owners\nupdate = owners\ndelete = owners\n'
    const { url, log } = await start({
      MULLION_DATA_DIR: join(directory, 'data'),
      MULLION_POLICY_FILE: policy,
      MULLION_PROTECTIONS_FILE: file('protections.conf', protections),
      MULLION_PROTECTIONS_RULE_FORMAT: 'policies',
    })
    const property = { 'x-image-meta-property-x_a': 'v' }
    expect((await upload(url, property))[0]).toBe(201)
    expect(await upload(url, { 'x-image-meta-property-y': 'v' })).toEqual([
      403,
      expect.stringContaining("Property 'y' is protected"),
    ])
    file('policy.json.new', '{"default": "@", "owners": "!"}')
    renameSync(`${policy}.new`, policy)
    await vi.waitUntil(async () => (await upload(url, property))[0] === 403, { timeout: 5_000, interval: 100 })
    expect(await upload(url)).toEqual([201, expect.any(String)])

    file('policy.json', '{"default": "@", "owners": ')
    await vi.waitUntil(
      async () => {
        await upload(url)
        return log().includes('the policy file cannot be used: the last good rules stay')
      },
      { timeout: 5_000, interval: 100 },
    )
    expect((await upload(url, property))[0]).toBe(403)
    expect((await upload(url))[0]).toBe(201)
  })

  it.each([
    ['MULLION_POLICY_FILE', '{"add_image": "admin"}', 'line 1: add_image: expected a check such as role:NAME'],
    ['MULLION_POLICY_FILE', '', 'expected rules by their names'],
    ['MULLION_PROTECTIONS_FILE', '[a(]\ncreate = @', 'line 1: [a(] expected the key read'],
  ])('do not let the server start when they are wrong: %s with %j', async (variable, text, message) => {
    const path = file('wrong', text)
    const ended = await run([], { MULLION_DATA_DIR: join(directory, 'data'), MULLION_PORT: '0', [variable]: path })
    expect([ended.code, ended.stdout]).toEqual([1, ''])
    expect(ended.stderr).toContain(`mullion-image-server: ${path}: ${message}`)
  })
})
