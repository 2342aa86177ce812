import { keyedTurns } from 'mullion'
import { describe, expect, it } from 'vitest'
import { gate } from './tiny-store.ts'

describe('turns', () => {
  it('run one at a time for a key, in order, after failures too', async () => {
    const inTurn = keyedTurns()
    const hold = gate()
    const seen: string[] = []
    const first = inTurn('key', async () => {
      seen.push('first begins')
      await hold.opened
      seen.push('first fails')
      throw new Error('first')
    })
    const second = inTurn('key', async () => void seen.push('second'))
    const third = inTurn('key', async () => void seen.push('third'))
    await inTurn('other', async () => void seen.push('other'))
    hold.open()
    await expect(first).rejects.toThrow('first')
    await Promise.all([second, third])
    expect(seen).toEqual(['first begins', 'other', 'first fails', 'second', 'third'])
  })
})
