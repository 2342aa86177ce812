import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/server/log.ts'
import { closeAll } from '../../src/server/close-all.ts'

describe('what was opened when a start fails', () => {
  it('is closed from the last to the first, whatever the others do about it, and what they say is logged', async () => {
    const lines: string[] = []
    const log = createLog('info', { write: (line: string) => lines.push(line) })
    const closed: string[] = []
    const closers = [
      () => void closed.push('first'),
      async () => {
        closed.push('second')
        throw new Error('the database is gone')
      },
      () => {
        closed.push('third')
        throw new Error('the store is gone')
      },
      async () => void closed.push('fourth'),
    ]
    await closeAll(closers, log)
    expect(closed).toEqual(['fourth', 'third', 'second', 'first'])
    expect(lines.map((line) => (JSON.parse(line) as { err: { message: string } }).err.message)).toEqual([
      'the store is gone',
      'the database is gone',
    ])
  })
})
