import type { FileHandle } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { batched } from '../src/output.ts'
import { gate, seededBytes, systemError } from './support.ts'

interface Call {
  readonly position: number
  readonly parts: number
  readonly bytes: number
}

/** A handle in memory that records its calls and takes at most `most` bytes in each. */
function recorder(most = Number.POSITIVE_INFINITY): {
  readonly handle: FileHandle
  readonly calls: Call[]
  readonly content: () => Buffer
} {
  const calls: Call[] = []
  let content = Buffer.alloc(0)
  const writev = async (parts: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> => {
    const data = Buffer.concat(parts)
    const bytes = Math.min(data.length, most)
    calls.push({ position, parts: parts.length, bytes })
    const next = Buffer.alloc(Math.max(content.length, position + bytes))
    content.copy(next)
    data.copy(next, position, 0, bytes)
    content = next
    return { bytesWritten: bytes }
  }
  return { handle: { writev } as unknown as FileHandle, calls, content: () => content }
}

describe('batched output', () => {
  it('writes one batch per MiB however small the chunks of a usual source are', async () => {
    const { handle, calls, content } = recorder()
    const output = batched(handle, () => {})
    const chunk = seededBytes(64 * 1024)
    for (let count = 0; count < 40; count++) await output.write(chunk)
    expect(await output.end()).toBe(40 * 64 * 1024)
    expect(calls.map(({ bytes }) => bytes)).toEqual([1 << 20, 1 << 20, 1 << 19])
    expect(content().equals(Buffer.concat(Array.from({ length: 40 }, () => chunk)))).toBe(true)
  })

  it('does not gather more chunks than one system call takes', async () => {
    const { handle, calls } = recorder()
    const output = batched(handle, () => {})
    for (let count = 0; count < 2500; count++) await output.write(Uint8Array.of(7))
    await output.end()
    expect(calls.map(({ parts }) => parts)).toEqual([1024, 1024, 452])
  })

  it('goes on where a short write stopped', async () => {
    const { handle, content } = recorder(1000)
    const bytes = seededBytes(4321)
    let written = 0
    const output = batched(handle, (count) => void (written += count))
    await output.write(bytes.subarray(0, 1500))
    await output.write(bytes.subarray(1500))
    expect(await output.end()).toBe(4321)
    expect(content().equals(bytes)).toBe(true)
    expect(written).toBe(4321)
  })

  it('gives up on a disk that takes nothing', async () => {
    const { handle } = recorder(0)
    const output = batched(handle, () => {})
    await output.write(seededBytes(1))
    await expect(output.end()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('holds two batches at most while the disk is slow', async () => {
    const { opened, open } = gate()
    let accepted = 0
    const handle = {
      writev: async (parts: readonly Uint8Array[]) => {
        await opened
        return { bytesWritten: parts.reduce((sum, part) => sum + part.byteLength, 0) }
      },
    } as unknown as FileHandle
    const output = batched(handle, () => {})
    const pumping = (async () => {
      for (let count = 0; count < 8; count++) {
        await output.write(new Uint8Array(1 << 20))
        accepted++
      }
    })()
    await new Promise((resolve) => setImmediate(resolve))
    expect(accepted).toBe(1) // one is being written, the second waits in write()
    open()
    await pumping
    expect(await output.end()).toBe(8 << 20)
  })

  it('reports a failed write by the next call or the end', async () => {
    const failure = systemError('EIO')
    const handle = { writev: () => Promise.reject(failure) } as unknown as FileHandle
    const output = batched(handle, () => {})
    await output.write(new Uint8Array(1 << 20))
    await output.settled()
    await expect(output.end()).rejects.toBe(failure)
  })
})
