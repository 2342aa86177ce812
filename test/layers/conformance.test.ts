import { createStores, memory } from 'mullion'
import { concurrency, layered, metrics, rateLimit, readOnly, timeout, tracing } from 'mullion/layers'
import { testStore } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'

/** A layer may change what a call costs, never what it means. */
testStore(
  { describe, it },
  {
    name: 'memory behind all layers',
    open: () =>
      layered(
        memory(),
        tracing(),
        metrics(() => {}),
        timeout({ ms: 10_000 }),
        concurrency(8),
        rateLimit({ perSecond: 1e6, burst: 100, bytesPerSecond: 1e12 }),
      ),
    unit: 64 * 1024,
  },
)

describe('readOnly', () => {
  it('takes writing and deleting away, and leaves reading', async () => {
    const spec = memory()
    const shared = { ...spec, open: once(spec.open) }
    await using writer = await createStores({ stores: { fast: shared }, default: 'fast' })
    await using reader = await createStores({ stores: { fast: layered(shared, readOnly()) }, default: 'fast' })
    const { location } = await writer.add('key', Buffer.of(1, 2, 3))
    expect(await reader.getSizeFromBackend(location)).toBe(3)
    await expect(reader.add('other', Buffer.of(1))).rejects.toMatchObject({ code: 'unsupported' })
    await expect(reader.delete(location)).rejects.toMatchObject({ code: 'unsupported' })
    expect(await writer.getSizeFromBackend(location)).toBe(3)
  })
})

function once<A extends readonly unknown[], T>(make: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  let made: Promise<T> | undefined
  return (...args) => (made ??= make(...args))
}
