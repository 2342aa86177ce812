import { MullionError } from 'mullion'
import type { Logger } from 'pino'
import { describe, expect, it } from 'vitest'
import type { LogLevel } from '../../src/config/sections/log.ts'
import { createLog, sayTo } from '../../src/server/log.ts'

function logged(write: (log: Logger) => void, level: LogLevel = 'trace'): string {
  const lines: string[] = []
  write(createLog(level, { write: (line: string) => lines.push(line) }))
  return lines.join('')
}

describe('the log', () => {
  it('is one JSON object a line, with level and time', () => {
    const line: unknown = JSON.parse(logged((log) => log.info({ image: 'i' }, 'said')))
    expect(line).toEqual({ level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/) as string, image: 'i', msg: 'said' })
  })

  it('leaves out what is below its level', () => {
    expect(logged((log) => log.info('said'), 'warn')).toBe('')
  })

  it.each([
    ['a token', (log: Logger) => log.info({ 'x-auth-token': 'hunter2' })],
    ['a token among headers', (log: Logger) => log.info({ headers: { 'x-auth-token': 'hunter2' } })],
    [
      'a token among the headers of an answer',
      (log: Logger) => log.info({ res: { headers: { authorization: 'hunter2' } } }),
    ],
    [
      'the headers of a request',
      (log: Logger) => log.info({ req: { method: 'GET', url: '/', headers: { 'x-auth-token': 'hunter2' } } }),
    ],
    ['the query of a request', (log: Logger) => log.info({ req: { method: 'GET', url: '/v1/images?token=hunter2' } })],
    ['the password in a location', (log: Logger) => log.info({ location: 'swift://user:hunter2@host/c/o' })],
    ['the signature in a URL', (log: Logger) => log.info({ uri: 'https://host/o?signature=hunter2' })],
    ['the URL in an error', (log: Logger) => log.error({ err: new Error('GET https://u:hunter2@host/ failed') })],
    [
      'the URL in the cause of an error',
      (log: Logger) => log.error({ err: new Error('failed', { cause: new Error('https://host/?key=hunter2') }) }),
    ],
    [
      'the URL in the details of an error',
      (log: Logger) => {
        const details = { location: 'https://u:hunter2@host/' }
        log.error({ err: new MullionError('not_found', 'nothing there', { details }) })
      },
    ],
    ['a URL in what the library says', (log: Logger) => sayTo(log)('left', { location: 'https://u:hunter2@host/' })],
  ])('does not repeat %s', (_, write) => {
    const text = logged(write)
    expect(text).not.toBe('')
    expect(text).not.toContain('hunter2')
  })
})
