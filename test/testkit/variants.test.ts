import { type AnyStore, memory, type StoreSpec } from 'mullion'
import { layered, readOnly } from 'mullion/layers'
import { type Harness, testStore } from 'mullion/testkit'
import { describe, it } from 'vitest'

/** A memory store that promises less, and needs more, than it really does. */
function promisingLittle(): Harness {
  const little = { range: false, atomicWrite: false, exclusiveWrite: false, needsSize: true, concurrency: 1 }
  const open = (): StoreSpec<AnyStore> => {
    const spec = memory()
    return { ...spec, capabilities: { ...spec.capabilities, ...little } }
  }
  return { name: 'memory that promises little', open }
}

/** What is seeded goes around the layer that forbids writing. */
function seeded(): Harness {
  let inner: AnyStore | undefined
  let count = 0
  const open = (): StoreSpec<AnyStore> => {
    const spec: StoreSpec<AnyStore> = memory()
    const watched: StoreSpec<AnyStore> = {
      ...spec,
      async open(env) {
        inner = await spec.open(env)
        return inner
      },
    }
    return layered(watched, readOnly())
  }
  return {
    name: 'read-only memory',
    open,
    async seed(bytes) {
      const key = `seed-${(count += 1)}`
      const { signal } = new AbortController()
      const body = (async function* () {
        yield bytes
      })()
      await inner?.write?.(key, body, { size: undefined, metadata: {}, signal, announce: async () => {}, alive() {} })
      return `memory://${key}`
    },
  }
}

testStore({ describe, it }, seeded())
testStore({ describe, it }, promisingLittle())
