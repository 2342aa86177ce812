import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Cut, FaultProxy, FaultRules } from './fault-proxy.mjs'

/** A `FaultProxy` whose sockets belong to another process; a call resolves when it is done. */
export interface RemoteFaultProxy {
  readonly port: number
  set(rules: FaultRules): Promise<void>
  cut(how?: Cut): Promise<number>
  stats(): Promise<FaultProxy['stats']>
  close(): Promise<void>
}

export async function startFaultProxy(target: number): Promise<RemoteFaultProxy> {
  const child = fork(new URL('fault-proxy-process.mjs', import.meta.url), [String(target)], { execArgv: [] })
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }]
  const waiting = new Map<number, (answer: never) => void>()
  let calls = 0
  child.on('message', ({ id, answer }: { readonly id: number; readonly answer: never }) => {
    waiting.get(id)?.(answer)
    waiting.delete(id)
  })
  const ask = <T>(verb: string, argument?: unknown): Promise<T> =>
    new Promise<T>((resolve) => {
      calls += 1
      waiting.set(calls, resolve)
      child.send({ id: calls, verb, argument })
    })
  return {
    port,
    set: (rules) => ask('set', rules),
    cut: (how) => ask('cut', how),
    stats: () => ask('stats'),
    async close() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
