import { ERRORS, MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { errorBody, STATUS } from '../../src/errors.ts'
import { startServer } from '../v1/server.ts'

describe('the body of an error (Images v1 §4)', () => {
  const text = 'Image with identifier nope not found'

  it.each([undefined, '', '*/*', 'text/plain', 'image/png', 'text/*'])(
    'is plain text for Accept: %j',
    async (accept) => {
      const server = await startServer()
      const answer = await server.call('GET', '/v1/images/nope', { accept })
      expect(answer.headers['content-type']).toBe('text/plain; charset=UTF-8')
      expect(answer.text).toBe(`404 Not Found\n\nThe resource could not be found.\n\n ${text}  `)
    },
  )

  it.each(['application/json', 'text/html;q=0.1, application/json'])('is JSON for Accept: %s', async (accept) => {
    const server = await startServer()
    const answer = await server.call('GET', '/v1/images/nope', { accept })
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const message = `The resource could not be found.<br /><br />\n${text}\n\n`
    expect(answer.json).toEqual({ message, code: '404 Not Found', title: 'Not Found' })
  })

  it.each(['text/html', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'])(
    'is a page for Accept: %s',
    async (accept) => {
      const server = await startServer()
      const answer = await server.call('GET', '/v1/images/%3Cscript%3E', { accept })
      expect(answer.headers['content-type']).toBe('text/html; charset=UTF-8')
      expect(answer.text).toContain('<title>404 Not Found</title>')
      expect(answer.text).toContain('<h1>404 Not Found</h1>')
      expect(answer.text).not.toContain('<script>')
      expect(answer.text).toContain('&#60;script&#62;')
    },
  )

  it('is not there for HEAD', async () => {
    const server = await startServer()
    expect((await server.call('HEAD', '/v1/images/nope', { accept: 'application/json' })).text).toBe('')
  })
})

describe('an error nobody foresaw', () => {
  it('tells nothing, and is in the log with the id of the request', async () => {
    const entries: { readonly err?: Error; readonly reqId?: string }[] = []
    const policy = {
      enforce: () => Promise.reject(new Error('/srv/secret: cannot open')),
    }
    const logger = recorder(entries)
    const server = await startServer({ ports: { policy }, settings: { logger } })
    const answer = await server.call('GET', '/v1/images')
    expect(answer.status).toBe(500)
    expect(answer.octets).not.toMatch(/secret|srv|\.ts|at /)
    const entry = entries.find(({ err }) => err?.message.includes('secret'))
    expect(entry?.reqId).toBe(answer.headers['x-openstack-request-id'])
  })

  it.each(Object.keys(ERRORS) as (keyof typeof ERRORS)[])(
    'has a status when its code is %s, and keeps its message',
    async (code) => {
      const policy = {
        enforce: () => Promise.reject(new MullionError(code, 'file:///srv/secret', { details: {} })),
      }
      const server = await startServer({ ports: { policy } })
      const answer = await server.call('GET', '/v1/images')
      expect(answer.status).toBe(STATUS[code])
      expect(answer.octets).not.toContain('secret')
    },
  )
})

describe('errorBody', () => {
  it('does without a detail', () => {
    expect(errorBody(403, '', undefined, 'GET').text).toBe(
      '403 Forbidden\n\nAccess was denied to this resource.\n\n   ',
    )
  })
})

/** A logger that keeps what it is told, with the bindings of its children. */
function recorder(entries: object[], bindings: object = {}): never {
  const keep = (fields: object): void => void entries.push({ ...bindings, ...fields })
  const child = (more: object): never => recorder(entries, { ...bindings, ...more })
  const levels = Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace'].map((level) => [level, keep]))
  return { ...levels, silent: () => {}, level: 'trace', child } as never
}
