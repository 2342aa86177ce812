import type { Answer } from '../process/client.ts'
import type { Outcome } from './client.ts'

export type Maybe = 'yes' | 'no' | 'maybe'

/** What a client was told of an image. */
export interface Known {
  readonly id: string
  data: Uint8Array | undefined
  exists: Maybe
  /** Whether the data is stored, or (of a copy) will be. */
  active: Maybe
  deleted: Maybe
  isCopy?: boolean
  /** It was read, and was not what it had to be. */
  wasWrong?: boolean
  readonly names: Set<string>
  readonly members: Map<string, Maybe>
}

export function may(end: Outcome['end']): Maybe {
  return end === 'unknown' ? 'maybe' : end === 'done' ? 'yes' : 'no'
}

type Ask = (method: string, path: string) => Promise<Answer>

/** What the server shows of the image against what was told of it. */
export async function differencesOf(known: Known, ask: Ask): Promise<readonly string[]> {
  const { id } = known
  const wrong: string[] = known.wasWrong ? ['was wrong when it was read'] : []
  const head = await ask('HEAD', `/v1/images/${id}`)
  const status = head.status === 200 ? String(head.headers['x-image-meta-status']) : `answer ${head.status}`
  if (!possible(known).includes(status)) wrong.push(`is ${status}, expected ${possible(known).join(' or ')}`)
  if (head.status === 200) {
    const name = String(head.headers['x-image-meta-name'])
    if (!known.names.has(name)) wrong.push(`is called ${name}, expected ${[...known.names].join(' or ')}`)
    const mark = head.headers['x-image-meta-property-mark'] ?? 'cirros'
    if (mark !== name) wrong.push(`half a change: name ${name}, property ${String(mark)}`)
    wrong.push(...(await wrongMembers(known, ask)))
  }
  if (status === 'active') {
    const { body } = await ask('GET', `/v1/images/${id}`)
    if (!body.equals(known.data ?? new Uint8Array())) wrong.push(`has other data (${body.length} bytes)`)
  }
  return wrong.map((difference) => `image ${id} ${difference}`)
}

function possible({ exists, active, deleted }: Known): readonly string[] {
  if (exists === 'no' || deleted === 'yes') return ['answer 404']
  const gone = exists === 'maybe' || deleted === 'maybe' ? ['answer 404'] : []
  if (active === 'yes') return ['active', ...gone]
  if (active === 'no') return ['queued', 'killed', ...gone]
  return ['active', 'queued', 'killed', ...gone]
}

async function wrongMembers({ id, members }: Known, ask: Ask): Promise<readonly string[]> {
  const { body } = await ask('GET', `/v1/images/${id}/members`)
  const shown = (JSON.parse(body.toString()) as { members: { member_id: string }[] }).members
  const there = new Set(shown.map(({ member_id: member }) => member))
  return [...members].flatMap(([member, known]) => {
    if (known === 'maybe' || there.has(member) === (known === 'yes')) return []
    return [`${there.has(member) ? 'has' : 'lacks'} member ${member}`]
  })
}
