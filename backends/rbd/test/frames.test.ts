import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader, frameHead, FrameSplitter } from '../src/frames.ts'

interface Message {
  readonly header: unknown
  readonly payload: Uint8Array
}

const message = fc.record({
  header: fc.record({ id: fc.nat(), text: fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()) }),
  payload: fc.uint8Array({ maxLength: 300 }),
})
const messages = fc.array(message, { maxLength: 8 })
const lengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 })

const encoded = (all: readonly Message[]): Buffer =>
  Buffer.concat(all.flatMap(({ header, payload }) => [frameHead(header as object, payload.byteLength), payload]))

/** The bytes in chunks of these lengths, again and again. */
function* cut(bytes: Buffer, each: readonly number[]): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes.byteLength; index++) {
    const length = each[index % each.length] ?? 1
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const plain = (found: readonly { readonly header: unknown; readonly payload: Uint8Array }[]): unknown =>
  found.map(({ header, payload }) => ({ header, payload: [...payload] }))

describe('frames', () => {
  it('come out of a stream as they went in, wherever it is cut', () => {
    fc.assert(
      fc.property(messages, lengths, (all, at) => {
        const splitter = new FrameSplitter()
        const found = [...cut(encoded(all), at)].flatMap((chunk) =>
          [...splitter.push(chunk)].map(({ header, payload }) => ({ header, payload: Buffer.concat(payload) })),
        )
        expect(plain(found)).toEqual(plain(all))
      }),
    )
  })

  it('are filled in place as they went in, however many bytes come at once', () => {
    fc.assert(
      fc.property(messages, lengths, (all, at) => {
        const reader = new FrameReader()
        const found: Message[] = []
        let bytes = encoded(all)
        for (let index = 0; bytes.byteLength > 0; index++) {
          const target = reader.target()
          const count = bytes.copy(target, 0, 0, Math.min(at[index % at.length] ?? 1, target.byteLength))
          bytes = bytes.subarray(count)
          const frame = reader.fill(count)
          if (frame) found.push(frame)
        }
        expect(plain(found)).toEqual(plain(all))
      }),
    )
  })

  it('hand on the very chunks a payload came in', () => {
    const chunk = Buffer.concat([frameHead({ id: 1 }, 5), Buffer.from('hello')])
    const [frame] = new FrameSplitter().push(chunk)
    expect(frame?.payload[0]?.buffer).toBe(chunk.buffer)
  })
})
