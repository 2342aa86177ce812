import { describe, expect, it } from 'vitest'
import { RAW, startServer } from '../v1/server.ts'

describe('what the server does not read (Images v1 §17)', () => {
  it('a header line of more than 16384 octets: 400 without a body, and the connection is closed', async () => {
    const server = await startServer()
    const line = (octets: number): Record<string, string> => ({ 'x-long': 'x'.repeat(octets - 'x-long: \r\n'.length) })
    expect((await server.call('GET', '/v1/images', line(16_384))).status).toBe(200)
    const answer = await server.call('GET', '/v1/images', line(16_385))
    expect([answer.status, answer.text, answer.headers['connection']]).toEqual([400, '', 'close'])
  })

  it('header lines of more than 65536 octets together: 400', async () => {
    const server = await startServer()
    const lines = (count: number): [string, string][] =>
      Array.from({ length: count }, (_, index) => [`x-${index}`, 'x'.repeat(16_000)])
    expect((await server.call('GET', '/v1/images', lines(3))).status).toBe(200)
    expect((await server.call('GET', '/v1/images', lines(5))).status).toBe(400)
  })

  it('but no header line is lost for being one of many', async () => {
    const server = await startServer()
    const lines = Array.from({ length: 2_100 }, (_, index): [string, string] => [`x-image-meta-property-${index}`, ''])
    const answer = await server.call('POST', '/v1/images', lines)
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining('Attempted: 2100, Maximum: 128')])
  })

  it('a request line of more than 8192 octets: 414', async () => {
    const server = await startServer()
    expect((await server.call('GET', `/v1/images?x=${'x'.repeat(8_000)}`)).status).toBe(200)
    const answer = await server.call('GET', `/v1/images?x=${'x'.repeat(8_192)}`)
    expect([answer.status, answer.headers['connection']]).toEqual([414, 'close'])
  })

  it('what is no HTTP: 400', async () => {
    const server = await startServer()
    expect((await server.raw('nonsense\r\n\r\n')).status).toBe(400)
  })

  it.each(['evil.test/x?y#', 'a"b<c>', 'a b', '[::1', 'x\r\nHost: y'])(
    'a Host that is none, or two: %j',
    async (host) => {
      const server = await startServer()
      expect((await server.raw(`GET /v1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status).toBe(400)
    },
  )

  it('what follows a complete body is no reason to give up the upload', async () => {
    const server = await startServer()
    const head = Object.entries({ ...RAW, 'content-length': '2' }).map(([name, value]) => `${name}: ${value}\r\n`)
    const answer = await server.raw(`POST /v1/images HTTP/1.1\r\nHost: x\r\n${head.join('')}\r\nabc`)
    expect([answer.status, answer.json.image.status, answer.json.image.size]).toEqual([201, 'active', 2])
  })

  it('transfer codings other than chunked', async () => {
    const server = await startServer()
    const head = (coding: string): string =>
      `POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Type: ${RAW['content-type']}\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`
    expect((await server.raw(head('gzip, chunked'))).status).toBe(501)
    expect((await server.raw(head('gzip'))).status).toBe(400)
    expect(server.notices).toEqual([])
  })

  it('two lengths of one body', async () => {
    const server = await startServer()
    const lengths: [string, string][] = [
      ['content-length', '4'],
      ['transfer-encoding', 'chunked'],
    ]
    expect((await server.call('POST', '/v1/images', lengths, '0\r\n\r\n')).status).toBe(400)
  })

  it('a length beyond what can be counted', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { ...RAW, 'content-length': '9007199254740993' })
    expect(answer.status).toBe(400)
    expect(server.notices).toEqual([])
  })
})
