import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, type BigIntStats } from 'node:fs'
import { refusal } from '../config/document.ts'

/** One version of a file of the operator. */
export interface FileVersion {
  readonly text: string
  /** Differs from that of any other version, except for one written while this one was read. */
  readonly stamp: string
  /** Milliseconds since the epoch. */
  readonly writtenAt: number
}

/** Reads a regular file of UTF-8 text. Synchronous: for the start, and for files of a few kilobytes. Throws `invalid_config`. */
export function readBounded(path: string, maxBytes: number): FileVersion {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a pipe without a writer would wait for ever
    try {
      const stats = fstatSync(fd, { bigint: true })
      if (!stats.isFile()) throw refusal(path, 'expected a regular file')
      if (stats.size > maxBytes) throw refusal(path, `expected at most ${maxBytes} bytes, got ${stats.size}`)
      const text = UTF8.decode(readFileSync(fd))
      return { text, stamp: stampOf(stats), writtenAt: Number(stats.mtimeMs) }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw asRefusal(path, error)
  }
}

/** The stamp of the version that is there now. Throws `invalid_config`. */
export function stampOfFile(path: string): string {
  try {
    return stampOf(statSync(path, { bigint: true }))
  } catch (error) {
    throw asRefusal(path, error)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}

function asRefusal(path: string, error: unknown): unknown {
  if (error instanceof TypeError) return refusal(path, 'expected UTF-8 text')
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return refusal(path, 'no such file')
  if (code === 'EACCES') return refusal(path, 'may not be read by this user')
  return /^E[A-Z]+$/.test(code) ? refusal(path, `cannot be read: ${code}`) : error
}
