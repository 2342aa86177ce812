import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const DIGESTS = new URL('../../src/hash/digests.ts', import.meta.url).href
const SIZE = 2 * 1024 * 1024

/** What a program with two digests prints before it ends by itself. */
async function run(program: string, ...flags: readonly string[]): Promise<string> {
  const text = `import { startDigests } from '${DIGESTS}'
    const digests = startDigests(['md5', 'sha512'])
    ${program}`
  const args = [...flags, '--input-type=module', '--eval', text]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 })
  return stdout.trim()
}

it('lets the process end after a pass that was dropped while its thread started', async () => {
  const program = `const update = digests.update(new Uint8Array(${SIZE}))
    digests.drop()
    await update
    console.log('dropped')`
  expect(await run(program)).toBe('dropped')
})

it('computes all digests here where no thread may be started', async () => {
  const program = `await digests.update(new Uint8Array(${SIZE}))
    console.log((await digests.digest()).sha512)`
  const expected = createHash('sha512').update(new Uint8Array(SIZE)).digest('hex')
  expect(await run(program, '--permission', '--allow-fs-read=*')).toBe(expected)
})
