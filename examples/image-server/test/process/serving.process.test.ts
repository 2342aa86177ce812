import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { META, OCTETS, send } from './client.ts'
import { killAll, run, start } from './server-process.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-process-'))
})
afterEach(async () => {
  await killAll()
  rmSync(directory, { recursive: true, force: true })
})

describe('the program', { timeout: 30_000 }, () => {
  it('serves what it was sent, also after a restart, and shows how to send it', async () => {
    const MULLION_DATA_DIR = join(directory, 'data')
    const bytes = randomBytes(300_000)
    const first = await start({ MULLION_DATA_DIR })
    const created = await send('POST', `${first.url}/v1/images`, { ...OCTETS, ...META }, bytes)
    expect(created.status).toBe(201)
    const { image } = JSON.parse(created.body.toString()) as { image: { id: string; status: string; checksum: string } }
    expect(image).toMatchObject({ status: 'active', checksum: createHash('md5').update(bytes).digest('hex') })
    first.kill('SIGTERM')
    const end = await first.ended
    expect(end).toMatchObject({ code: 0, signal: null })
    expect(end.stdout).toContain(`curl -X POST -T cirros.qcow2 ${first.url}/v1/images`)
    expect(statSync(MULLION_DATA_DIR).mode & 0o777).toBe(0o700)

    const second = await start({ MULLION_DATA_DIR })
    const { status, body } = await send('GET', `${second.url}/v1/images/${image.id}`)
    expect(status).toBe(200)
    expect(body.equals(bytes)).toBe(true)
    second.kill('SIGINT')
    expect((await second.ended).code).toBe(0)
  })

  it('reads its file, and the environment wins', async () => {
    const file = join(directory, 'mullion.toml')
    writeFileSync(
      file,
      `data_dir = ${JSON.stringify(join(directory, 'data'))}\n[limits]\nimage_size_cap = 3\n[log]\nlevel = "silent"\n`,
    )
    const server = await start({ MULLION_CONFIG: file, MULLION_LIMITS_IMAGE_SIZE_CAP: '4' })
    const upload = (size: number) => send('POST', `${server.url}/v1/images`, { ...OCTETS, ...META }, Buffer.alloc(size))
    expect((await upload(4)).status).toBe(201)
    expect([400, 413]).toContain((await upload(5)).status)
    server.kill('SIGTERM')
    expect((await server.ended).stderr).toBe('')
  })

  it('keeps tokens out of its log', async () => {
    const server = await start({ MULLION_DATA_DIR: directory, MULLION_LOG_LEVEL: 'trace' })
    await send('GET', `${server.url}/v1/images?token=hunter2`, { 'x-auth-token': 'hunter2' })
    const { headers } = await send('GET', `${server.url}/v1/images`)
    server.kill('SIGTERM')
    const { stderr } = await server.ended
    expect(stderr).toContain(headers['x-openstack-request-id'])
    expect(stderr).not.toContain('hunter2')
  })
})

describe('a start that fails', { timeout: 30_000 }, () => {
  const line = (text: string) => `mullion-image-server: ${text}\n`

  it('names the server that has the data directory already, and leaves that one alone', async () => {
    const server = await start({ MULLION_DATA_DIR: directory })
    const { pid } = server.child
    expect(await run([], { MULLION_DATA_DIR: directory, MULLION_PORT: '0' })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: line(`data directory ${directory}: another server uses it (process ${pid})`),
    })
    expect((await send('GET', `${server.url}/v1/images`)).status).toBe(200)
  })

  it('names the port that is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const end = await run([], { MULLION_DATA_DIR: directory, MULLION_PORT: String(port), MULLION_LOG_LEVEL: 'silent' })
    other.close()
    expect(end).toMatchObject({
      code: 1,
      stderr: line(`cannot listen on 127.0.0.1:${port}: the port is in use (another: port, or MULLION_PORT)`),
    })
  })

  it('names a data directory that is a file', async () => {
    const path = join(directory, 'file')
    writeFileSync(path, '')
    expect(await run([], { MULLION_DATA_DIR: path })).toMatchObject({
      code: 1,
      stderr: line(`data directory ${path}: it is a file`),
    })
  })

  it('names the key of a plugin as it is written in the file', async () => {
    const env = {
      MULLION_DATA_DIR: directory,
      MULLION_STORES_HTTP_MAX_REDIRECTS: '99',
      MULLION_STORES_FILE_COLOUR: 'red',
    }
    const { code, stderr } = await run([], env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mullion-image-server: stores: file: .*colour.*\n$/)
    const second = await run([], { MULLION_DATA_DIR: directory, MULLION_STORES_HTTP_MAX_REDIRECTS: '99' })
    expect(second.stderr).toMatch(/^mullion-image-server: stores: http: .*max_redirects: .*20\n$/)
  })

  it('names every key that is wrong', async () => {
    const file = join(directory, 'mullion.toml')
    writeFileSync(file, 'port = "x"\n[limits]\nimage_size = 1\n')
    expect(await run(['--config', file])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^mullion-image-server: .*: port: expected number, got "x"\nmullion-image-server: .*: limits\.image_size: unknown key/,
      ) as string,
    })
  })

  it('says which Node it needs before it loads anything an old one fails on', async () => {
    const old = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(old)}`]
    expect(await run([], { MULLION_DATA_DIR: directory }, nodeArgs)).toMatchObject({
      code: 1,
      stderr: 'mullion-image-server needs Node 22.13 or newer; this is Node 20.20.2\n',
    })
  })
})

describe('the command line', { timeout: 30_000 }, () => {
  it('prints help and version', async () => {
    const [help, version] = await Promise.all([run(['--help']), run(['--version'])])
    expect(help).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('usage: mullion-image-server') as string,
    })
    expect(version).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string })
  })

  it('checks a configuration without touching anything', async () => {
    const MULLION_DATA_DIR = join(directory, 'none')
    const [good, bad] = await Promise.all([
      run(['--check-config'], { MULLION_DATA_DIR }),
      run(['--check-config'], { MULLION_DATA_DIR, MULLION_PORT: 'x' }),
    ])
    expect(good).toMatchObject({ code: 0, stdout: 'the configuration is good\n' })
    expect(bad).toMatchObject({
      code: 1,
      stderr: 'mullion-image-server: MULLION_PORT: port: expected number, got "x"\n',
    })
    expect(() => statSync(MULLION_DATA_DIR)).toThrow('ENOENT')
  })

  it('calls what it does not know misuse, with exit code 2', async () => {
    expect(await run(['--colour'])).toMatchObject({
      code: 2,
      stderr: "mullion-image-server: unknown option '--colour' (see --help)\n",
    })
  })
})
