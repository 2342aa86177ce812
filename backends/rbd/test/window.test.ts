import { describe, expect, it } from 'vitest'
import { Window } from '../src/window.ts'

function work(): { readonly run: () => Promise<void>; finish(error?: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { run: () => promise, finish: (error) => (error ? reject(error) : resolve()) }
}

describe('a window', () => {
  it('lets so much work run, and makes the next wait for any of it', async () => {
    const window = new Window(2)
    const [first, second, third] = [work(), work(), work()]
    await window.add(first.run)
    await window.add(second.run)
    let began = false
    const adding = window.add(() => {
      began = true
      return third.run()
    })
    await new Promise(setImmediate)
    expect(began).toBe(false)
    second.finish()
    await adding
    expect(began).toBe(true)
    first.finish()
    third.finish()
    await window.end()
  })

  it('tells the first failure to who adds next, and to who waits for the end', async () => {
    const window = new Window(1)
    const [first, second] = [work(), work()]
    await window.add(first.run)
    const adding = window.add(second.run)
    first.finish(new Error('broken'))
    await expect(adding).rejects.toThrow('broken')
    await expect(window.end()).rejects.toThrow('broken')
    await window.settled()
  })
})
