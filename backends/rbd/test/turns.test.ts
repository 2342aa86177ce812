import { describe, expect, it } from 'vitest'
import { Turns } from '../src/turns.ts'

describe('turns of calls', () => {
  it('lets as many begin as there are threads, the others in their order', () => {
    const turns = new Turns(2)
    const begun: string[] = []
    for (const name of ['a', 'b', 'c', 'd']) turns.take(false, () => begun.push(name))
    expect(begun).toEqual(['a', 'b'])
    turns.end(false)
    expect(begun).toEqual(['a', 'b', 'c'])
    turns.end(false)
    expect(begun).toEqual(['a', 'b', 'c', 'd'])
  })

  it('lets others pass long calls that wait, as those get half of the threads at most', () => {
    const turns = new Turns(4)
    const begun: string[] = []
    for (const name of ['long 1', 'long 2', 'long 3']) turns.take(true, () => begun.push(name))
    for (const name of ['a', 'b', 'c']) turns.take(false, () => begun.push(name))
    expect(begun).toEqual(['long 1', 'long 2', 'a', 'b'])
    turns.end(false)
    expect(begun).toEqual(['long 1', 'long 2', 'a', 'b', 'c'])
    turns.end(true)
    expect(begun.at(-1)).toBe('long 3')
  })
})
