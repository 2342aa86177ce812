import { type ErrorCode, MullionError } from '../errors.ts'
import { type GuardedBody, guardBody } from '../layers/body.ts'
import type { AnyStore, Layer } from '../plugin.ts'
import type { ByteStream } from '../store.ts'

export interface Fault {
  readonly op: 'read' | 'stat' | 'write' | 'copyFrom' | 'remove' | 'setAcls'
  /** Calls of `op` that pass before the fault. Default 0. */
  readonly after?: number
  /** Calls in a row that fail. Default 1. */
  readonly times?: number
  /** Default `unavailable`. */
  readonly code?: ErrorCode
  /** Of reads and writes: fails inside the body once so many bytes went through. Default: before the store is called. */
  readonly atByte?: number
}

/** A layer that fails as planned. Each store it is applied to counts its own calls. */
export function chaos(plan: readonly Fault[]): Layer {
  return (next) => {
    const calls = new Map<Fault['op'], number>()
    const faultOf = (op: Fault['op']): Fault | undefined => {
      const number = calls.get(op) ?? 0
      calls.set(op, number + 1)
      return plan.find((fault) => fault.op === op && isDue(fault, number))
    }
    const before = async <T>(op: Fault['op'], call: () => Promise<T>): Promise<T> => {
      const fault = faultOf(op)
      if (fault) throw errorOf(fault)
      return call()
    }
    const write = next.write?.bind(next)
    const copyFrom = next.copyFrom?.bind(next)
    const remove = next.remove?.bind(next)
    const setAcls = next.setAcls?.bind(next)
    const failing: Partial<AnyStore> = {
      async read(at, options) {
        const fault = faultOf('read')
        if (fault && fault.atByte === undefined) throw errorOf(fault)
        const { body, size, etag } = await next.read(at, options)
        return { body: fault ? broken(body, fault.atByte ?? 0, errorOf(fault)) : body, size, etag }
      },
      stat: (at, options) => before('stat', () => next.stat(at, options)),
      ...(remove && { remove: (at, options) => before('remove', () => remove(at, options)) }),
      ...(copyFrom && {
        copyFrom: (key, origin, options) => before('copyFrom', () => copyFrom(key, origin, options)),
      }),
      ...(setAcls && { setAcls: (at, acls, options) => before('setAcls', () => setAcls(at, acls, options)) }),
      ...(write && {
        async write(key, body, options) {
          const fault = faultOf('write')
          if (!fault) return write(key, body, options)
          const error = errorOf(fault)
          if (fault.atByte === undefined) throw error
          const result = { fired: false }
          const cut = broken(body, fault.atByte, error, () => {
            result.fired = true
          })
          return write(key, cut, options).catch((thrown: unknown) => {
            throw result.fired ? error : thrown // SDKs wrap what a body throws
          })
        },
      }),
    }
    return failing
  }
}

function isDue({ after = 0, times = 1 }: Fault, number: number): boolean {
  return number >= after && number < after + times
}

/** Whatever a code promises, since a plan names only the code. */
const DETAILS = {
  location: 'chaos',
  key: 'chaos',
  scheme: 'chaos',
  known: [],
  reason: 'chaos',
  name: 'chaos',
  plugin: 'chaos',
  issues: [],
  operation: 'chaos',
  expected: 0,
  actual: 0,
  limit: 0,
  limitMs: 0,
} as const

function errorOf({ op, code = 'unavailable', atByte }: Fault): MullionError {
  const where = atByte === undefined ? '' : ` at byte ${atByte}`
  return new MullionError(code, `chaos: ${op} fails${where}`, { details: DETAILS })
}

/** Lets `atByte` bytes through, cutting the chunk they end in, then throws. */
function broken(body: ByteStream, atByte: number, error: MullionError, fired?: () => void): GuardedBody {
  const guarded = guardBody(body, { onEnd() {} })
  const inner = guarded[Symbol.asyncIterator]()
  let left = atByte
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      if (left === 0) {
        fired?.()
        await inner.return?.()
        throw error
      }
      const step = await inner.next()
      if (step.done) return step
      const value = step.value.subarray(0, left)
      left -= value.byteLength
      return { done: false, value }
    },
    ...(inner.return && { return: inner.return.bind(inner) }),
  }
  return { [Symbol.asyncIterator]: () => iterator, destroy: (reason) => guarded.destroy(reason) }
}
