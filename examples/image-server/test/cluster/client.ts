import { setTimeout as sleep } from 'node:timers/promises'
import { seededBytes } from 'mullion/testkit'
import { type Answer, META, OCTETS, send } from '../process/client.ts'
import { differencesOf, type Known, may } from './known.ts'
import { ORIGIN_DATA } from './origin.ts'

export interface Outcome {
  readonly operation: string
  /** `unknown`: the connection broke, or the server failed; it may have happened or not. */
  readonly end: 'done' | 'refused' | 'unknown'
}

export interface ClientOptions {
  readonly tenant: string
  readonly seed: number
  readonly url: () => string
  /** URL to copy from. */
  readonly origin: string
}

export interface Client {
  run(operations: number): Promise<readonly Outcome[]>
  /** An image of its own that is still on its way. A copy that nobody answered for may stay queued: it was never begun. */
  busy(url: string): Promise<string | undefined>
  /** Where what a server shows differs from what this client was told. */
  verify(url: string): Promise<readonly string[]>
}

/** A client that remembers what it was told, and what it was not. */
export function client({ tenant, seed, url, origin }: ClientOptions): Client {
  const identity = { 'x-identity-status': 'Confirmed', 'x-project-id': tenant, 'x-user-id': 'u', 'x-roles': 'member' }
  const random = randomOf(seed)
  const images: Known[] = []
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)]

  async function call(method: string, path: string, headers = {}, body?: Uint8Array): Promise<Answer | undefined> {
    try {
      const answer = await send(method, `${url()}${path}`, { ...identity, ...headers }, body)
      return answer.status >= 500 ? undefined : answer
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') {
        await sleep(50) // it is being started again
        return { status: 400, headers: {}, body: Buffer.alloc(0) }
      }
      return undefined
    }
  }

  const end = (answer: Answer | undefined): Outcome['end'] => {
    if (!answer) return 'unknown'
    return answer.status < 300 ? 'done' : 'refused'
  }

  function remember(data: Uint8Array | undefined): Known {
    const known: Known = {
      id: crypto.randomUUID(),
      data,
      exists: 'no',
      active: 'no',
      deleted: 'no',
      names: new Set(['cirros']),
      members: new Map(),
    }
    images.push(known)
    return known
  }

  const bytes = (): Uint8Array => seededBytes(Math.floor(random() * 2 ** 31), 1 + Math.floor(random() * 200_000))

  const operations: Readonly<Record<string, () => Promise<Outcome['end'] | undefined>>> = {
    async upload() {
      const known = remember(bytes())
      const outcome = end(
        await call('POST', '/v1/images', { ...OCTETS, ...META, 'x-image-meta-id': known.id }, known.data),
      )
      known.exists = may(outcome)
      known.active = may(outcome)
      return outcome
    },
    async reserve() {
      const known = remember(undefined)
      const outcome = end(await call('POST', '/v1/images', { ...META, 'x-image-meta-id': known.id }))
      known.exists = may(outcome)
      return outcome
    },
    async send() {
      const known = pick(images.filter((image) => image.exists === 'yes' && !image.data && image.deleted === 'no'))
      if (!known) return undefined
      known.data = bytes()
      const outcome = end(await call('PUT', `/v1/images/${known.id}`, { ...OCTETS, ...KEEP }, known.data))
      known.active = may(outcome)
      return outcome
    },
    async copy() {
      const known = remember(ORIGIN_DATA)
      const headers = { ...META, 'x-image-meta-id': known.id, 'x-glance-api-copy-from': origin }
      const outcome = end(await call('POST', '/v1/images', headers))
      known.exists = may(outcome)
      known.active = may(outcome)
      known.isCopy = true
      return outcome
    },
    async rename() {
      const known = pick(images.filter(({ exists, deleted }) => exists === 'yes' && deleted === 'no'))
      if (!known) return undefined
      const name = `n${Math.floor(random() * 1e9)}`
      const headers = { ...KEEP, 'x-image-meta-name': name, 'x-image-meta-property-mark': name }
      const outcome = end(await call('PUT', `/v1/images/${known.id}`, headers))
      if (outcome === 'done') known.names.clear()
      if (outcome !== 'refused') known.names.add(name)
      return outcome
    },
    async share() {
      const known = pick(images.filter(({ exists, deleted }) => exists === 'yes' && deleted === 'no'))
      if (!known) return undefined
      const member = `m${Math.floor(random() * 5)}`
      const method = random() < 0.7 ? 'PUT' : 'DELETE'
      const outcome = end(await call(method, `/v1/images/${known.id}/members/${member}`))
      if (outcome === 'done') known.members.set(member, method === 'PUT' ? 'yes' : 'no')
      if (outcome === 'unknown') known.members.set(member, 'maybe')
      return outcome
    },
    async download() {
      const known = pick(
        images.filter(({ active, deleted, isCopy }) => active === 'yes' && deleted === 'no' && !isCopy),
      )
      if (!known) return undefined
      const answer = await call('GET', `/v1/images/${known.id}`)
      if (answer?.status === 200 && !answer.body.equals(known.data ?? new Uint8Array())) known.wasWrong = true
      if (answer?.status === 404) known.wasWrong = true
      return end(answer)
    },
    async list() {
      const answer = await call('GET', '/v1/images/detail?limit=1000')
      if (answer?.status !== 200) return end(answer)
      const { images: listed } = JSON.parse(answer.body.toString()) as { images: { id: string }[] }
      const ids = new Set(listed.map(({ id }) => id))
      for (const known of images) if (known.deleted === 'yes' && ids.has(known.id)) known.wasWrong = true
      return 'done'
    },
    async remove() {
      const known = pick(images.filter(({ exists, deleted }) => exists === 'yes' && deleted === 'no'))
      if (!known) return undefined
      const outcome = end(await call('DELETE', `/v1/images/${known.id}`))
      if (outcome !== 'refused') known.deleted = may(outcome)
      return outcome
    },
  }
  const names = Object.keys(operations)

  return {
    async run(count) {
      const outcomes: Outcome[] = []
      while (outcomes.length < count) {
        const operation = pick(names) ?? ''
        const outcome = await operations[operation]?.()
        if (outcome) outcomes.push({ operation, end: outcome })
      }
      return outcomes
    },
    async busy(at) {
      for (const { id, isCopy, active } of images) {
        const { headers } = await send('HEAD', `${at}/v1/images/${id}`, identity)
        const state = headers['x-image-meta-status']
        if (state === 'saving' || (state === 'queued' && isCopy && active === 'yes')) return `image ${id}: ${state}`
      }
      return undefined
    },
    async verify(at) {
      const ask = (method: string, path: string) => send(method, `${at}${path}`, identity)
      const found: string[] = []
      for (const known of images) found.push(...(await differencesOf(known, ask)))
      return found.map((difference) => `${tenant}: ${difference}`)
    },
  }
}

const KEEP = { 'x-glance-registry-purge-props': 'false' }

/** Resolves once nothing is under way any more. */
export async function settled(clients: readonly Client[], [url = '']: readonly string[]): Promise<void> {
  const deadline = Date.now() + 60_000
  for (const one of clients) {
    for (let busy = await one.busy(url); busy !== undefined; busy = await one.busy(url)) {
      if (Date.now() > deadline) throw new Error(`${busy} after a minute`)
      await sleep(250)
    }
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
