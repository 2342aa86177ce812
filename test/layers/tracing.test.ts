import { type TracingChannelSubscribers, tracingChannel } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { collect } from 'mullion'
import { tracing } from 'mullion/layers'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, settle, storeOf, writeOptions } from './fixture.ts'

/** Collects what is published while `run` runs. */
async function traced(run: () => Promise<unknown>): Promise<{ events: string[]; contexts: Record<string, unknown>[] }> {
  const channel = tracingChannel('mullion:store')
  const events: string[] = []
  const contexts: Record<string, unknown>[] = []
  const on = (name: string) => (context: object) => {
    events.push(name)
    contexts.push({ ...context })
  }
  const [start, end, asyncStart, asyncEnd, error] = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map(on)
  const handlers = { start, end, asyncStart, asyncEnd, error } as TracingChannelSubscribers<object>
  channel.subscribe(handlers)
  try {
    await run()
    await settle()
  } finally {
    channel.unsubscribe(handlers)
  }
  return { events, contexts }
}

describe('tracing', () => {
  it('publishes the end of a read when its body is over', async () => {
    const store = behind(
      tracing(),
      storeOf(() => chunks(1, 2)),
    )
    const before: string[] = []
    const { events, contexts } = await traced(async () => {
      const { body } = await store.read('x', call())
      await settle()
      before.push('answered')
      await collect(body)
    })
    expect(events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(contexts.at(-1)).toMatchObject({ op: 'read', store: 'fast', plugin: 'fixture', bytes: 3 })
  })

  it('publishes an error once, with it', async () => {
    const error = new Error('EIO')
    const store = behind(
      tracing(),
      storeOf(() => chunks(), { stat: () => Promise.reject(error) }),
    )
    const { events, contexts } = await traced(() => expect(store.stat('x', call())).rejects.toBe(error))
    expect(events).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    expect(contexts[2]).toMatchObject({ op: 'stat', error })
  })

  it('publishes the key of a write and the address of other calls, without its secrets', async () => {
    const at = 'swift://user:hunter2@host/key'
    const write = async (_: string, body: AsyncIterable<Uint8Array>): Promise<{ at: string }> => (
      await collect(body), { at }
    )
    const store = behind(
      tracing(),
      storeOf(() => chunks(), { write }),
    )
    const { contexts } = await traced(async () => {
      await expect(store.write?.('key', chunks(5), writeOptions())).resolves.toEqual({ at })
      await store.stat(at, call())
    })
    expect(contexts[0]).toMatchObject({ op: 'write', key: 'key' })
    expect(contexts.at(-1)).toMatchObject({ op: 'stat', location: 'swift://***@host/key' })
    expect(inspect(contexts, { depth: 5 })).not.toContain('hunter2')
  })

  it('passes bodies untouched while nobody subscribes', async () => {
    const body = chunks(1)
    const store = behind(
      tracing(),
      storeOf(() => body),
    )
    expect((await store.read('x', call())).body).toBe(body)
  })
})
