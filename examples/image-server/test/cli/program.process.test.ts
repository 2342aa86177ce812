import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { installation } from './command-line.ts'
import { oldImage } from './images.ts'
import { launch, runProgram } from './program-process.ts'

/** A web server that takes a request and never answers. */
async function silentServer(): Promise<{ readonly url: string; readonly asked: Promise<unknown> }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked: once(server, 'request') }
}

describe('the program mullion', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends in order when it gets %s in the middle of its work', async (signal, code) => {
    const made = await installation({ MULLION_STORES_HTTP_ALLOW: '["127.0.0.1"]' })
    const { url, asked } = await silentServer()
    const { images } = await made.open()
    const location = { uri: url, metadata: {}, status: 'active' } as const
    await images.insert(oldImage({ size: 4 }, { status: 'active', locations: [location] }))
    const { child, ended } = launch(['doctor'], made.env)
    await asked
    child.kill(signal)
    expect(await ended).toEqual({
      code,
      stdout: '',
      stderr: '',
    })
  })

  it('ends quietly when nobody reads on', async () => {
    const made = await installation()
    const { images } = await made.open()
    for (let number = 0; number < 20; number += 1) {
      await images.insert(oldImage({ properties: new Map([['long', 'x'.repeat(60_000)]]) }))
    }
    const { child, ended } = launch(['export', '--with-secrets'], made.env)
    child.stdout?.destroy()
    await expect(ended).rejects.toThrow() // its output cannot be read
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(1)
  })

  it('checks the configuration of both servers', async () => {
    const { env } = await installation()
    for (const command of ['serve', 'registry']) {
      expect(await runProgram([command, '--check-config'], env)).toMatchObject({
        code: 0,
        stdout: 'the configuration is good\n',
      })
      expect(await runProgram([command, '--check-config'], { ...env, MULLION_PORT: 'x' })).toMatchObject({ code: 1 })
    }
  })

  it('serves until it is asked to stop', async () => {
    const { env } = await installation()
    const { child, ended } = launch(['serve'], { ...env, MULLION_PORT: '0' })
    const [greeting] = (await once(child.stdout ?? child, 'data')) as [Buffer]
    const [, url] = /listens on (\S+)\n/.exec(greeting.toString()) ?? []
    expect((await fetch(`${url}/v1/images`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0 })
  })

  it('says in one line that a database server does not answer, without the password', async () => {
    const { env } = await installation()
    const { code, stderr } = await runProgram(['import-glance', 'postgresql://user:hunter2@127.0.0.1:1/glance'], env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mullion: database 127\.0\.0\.1\/glance: .*ECONNREFUSED.*\n$/)
    expect(stderr).not.toContain('hunter2')
  })

  it('leaves no temporary file behind', async () => {
    const made = await installation()
    const { code } = await runProgram(['doctor'], { ...made.env, TMPDIR: made.dir })
    expect(code).toBe(0)
    expect((await readdir(made.dir)).filter((name) => name.startsWith('mullion-'))).toEqual([])
  })
})
