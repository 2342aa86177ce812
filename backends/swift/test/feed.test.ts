import { describe, expect, it } from 'vitest'
import { feedOf } from '../src/feed.ts'

async function* chunks(...lengths: number[]): AsyncGenerator<Uint8Array> {
  let value = 0
  for (const length of lengths) yield Uint8Array.from({ length }, () => value++)
}

async function drain(feed: ReturnType<typeof feedOf>, max: number): Promise<number[][]> {
  const pieces: number[][] = []
  for (let piece = await feed.next(max); piece; piece = await feed.next(max)) pieces.push([...piece])
  return pieces
}

describe('feed', () => {
  it('gives no more than it is asked for, in order, and leaves empty chunks out', async () => {
    expect(await drain(feedOf(chunks(0, 3, 0, 1, 0)), 2)).toEqual([[0, 1], [2], [3]])
  })

  it('knows whether more comes without losing it', async () => {
    const feed = feedOf(chunks(1, 0))
    expect(await feed.more()).toBe(true)
    expect(await drain(feed, 9)).toEqual([[0]])
    expect(await feed.more()).toBe(false)
  })

  it('gives a short rest at once', async () => {
    expect([...((await feedOf(chunks(1, 2)).rest(3)) ?? [])]).toEqual([0, 1, 2])
    expect(await feedOf(chunks()).rest(0)).toHaveLength(0)
  })

  it('loses nothing of a rest that is too long', async () => {
    const feed = feedOf(chunks(1, 2, 1))
    expect(await feed.rest(2)).toBeUndefined()
    expect((await drain(feed, 9)).flat()).toEqual([0, 1, 2, 3])
  })
})
