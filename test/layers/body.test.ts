import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { ByteStream } from 'mullion'
import { type GuardedBody, guardBody } from 'mullion/layers'
import { collect } from 'mullion'
import { describe, expect, it } from 'vitest'
import { chunks, settle } from './fixture.ts'

type Failure = { readonly error: unknown } | undefined

function watched(body: ByteStream): { guarded: GuardedBody; ends: Failure[] } {
  const ends: Failure[] = []
  return { guarded: guardBody(body, { onEnd: (failure) => void ends.push(failure) }), ends }
}

describe('guardBody', () => {
  it('hands on the chunks themselves and tells the end once', async () => {
    const given = [Buffer.of(1), Buffer.of(2), Buffer.of(3)]
    const { guarded, ends } = watched(Readable.from(given))
    const got: Uint8Array[] = []
    for await (const chunk of guarded) got.push(chunk)
    guarded.destroy()
    expect(got.every((chunk, index) => chunk === given[index])).toBe(true)
    expect(ends).toEqual([undefined])
  })

  it('tells the end of an empty body', async () => {
    const { guarded, ends } = watched(chunks())
    await collect(guarded)
    expect(ends).toEqual([undefined])
  })

  it('tells the failure of a body and throws it unchanged', async () => {
    const error = new Error('disk on fire')
    const { guarded, ends } = watched(
      (async function* () {
        yield Buffer.of(1)
        throw error
      })(),
    )
    await expect(collect(guarded)).rejects.toBe(error)
    expect(ends).toEqual([{ error }])
  })

  it('lets go of a body whose reader leaves', async () => {
    const stream = Readable.from([Buffer.of(1), Buffer.of(2)])
    const { guarded, ends } = watched(stream)
    for await (const _ of guarded) break
    expect(stream.destroyed).toBe(true)
    expect(ends).toEqual([undefined])
  })

  it('destroys a Readable that nobody read', () => {
    const stream = new Readable({ read() {} })
    const { guarded, ends } = watched(stream)
    guarded.destroy()
    expect(stream.destroyed).toBe(true)
    expect(ends).toEqual([undefined])
  })

  it('lets go of a Readable when its iterator is returned from unread', async () => {
    const stream = new Readable({ read() {} })
    const { guarded, ends } = watched(stream)
    await guarded[Symbol.asyncIterator]().return?.()
    expect(stream.destroyed).toBe(true)
    expect(ends).toEqual([undefined])
  })

  it('cancels a web stream, unread and half-read', async () => {
    for (const reads of [0, 1]) {
      let cancelled = false
      const stream = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(Buffer.of(1)),
        cancel: () => {
          cancelled = true
        },
      })
      const { guarded } = watched(stream as ByteStream)
      const iterator = guarded[Symbol.asyncIterator]()
      for (let times = 0; times < reads; times += 1) await iterator.next()
      guarded.destroy()
      await settle()
      expect(cancelled).toBe(true)
    }
  })

  it('tells the error it was destroyed with', () => {
    const error = new Error('enough')
    const { guarded, ends } = watched(chunks(1))
    guarded.destroy(error)
    guarded.destroy()
    expect(ends).toEqual([{ error }])
  })

  it('holds a chunk back until it is let through, and fails if that fails', async () => {
    const error = new Error('over quota')
    const seen: number[] = []
    const guarded = guardBody(chunks(1, 2, 3), {
      async onChunk(chunk) {
        await settle()
        if (chunk.byteLength === 3) throw error
      },
      onEnd: (failure) => expect(failure).toEqual({ error }),
    })
    await expect(
      (async () => {
        for await (const chunk of guarded) seen.push(chunk.byteLength)
      })(),
    ).rejects.toBe(error)
    expect(seen).toEqual([1, 2])
  })
})
