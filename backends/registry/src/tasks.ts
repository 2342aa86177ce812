import type { Claim, OpenTask, Task, TaskQueue } from 'mullion/images'
import { z } from 'zod'
import type { Client } from './client.ts'
import { brokenAnswer } from './errors.ts'
import { accepted, codeOf, type Reply, type Subject } from './reply.ts'
import type { Sealing } from './sealing.ts'

const taskSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('copy'),
    id: z.string(),
    image_id: z.string(),
    uri: z.string(),
    store: z
      .string()
      .nullable()
      .transform((store) => store ?? undefined),
  }),
  z.object({
    kind: z.literal('upload'),
    id: z.string(),
    image_id: z.string(),
    on_failure: z.enum(['kill', 'requeue']),
  }),
])
const claimSchema = z.object({
  task: taskSchema,
  worker: z.string(),
  token: z.string(),
  attempt: z.int(),
  lease_ms: z.number(),
})
const openSchema = z.object({
  id: z.string(),
  kind: z.enum(['copy', 'upload']),
  image_id: z.string(),
  created_at: z.iso.datetime().transform((text) => new Date(text)),
  attempts: z.int(),
  held: z
    .object({
      worker: z.string(),
      token: z.string(),
      until: z.iso.datetime().transform((text) => new Date(text)),
      expired: z.boolean(),
    })
    .nullable(),
})
type ListedTask = z.infer<typeof openSchema>

/** Tasks that cannot be read in one claim. */
const MOST_PASSED = 100

export function remoteTasks(client: Client, sealing: Sealing): TaskQueue {
  const post = (path: string, body: object, repeatable = true): Promise<Reply> =>
    client.ask({ method: 'POST', path: `/tasks${path}`, body, repeatable })

  async function listed(): Promise<readonly ListedTask[]> {
    const reply = await client.ask({ method: 'GET', path: '/tasks', repeatable: true })
    return parsed(z.object({ tasks: z.array(openSchema) }), accepted(reply, { what: 'tasks', id: '' })).tasks
  }

  return {
    /** Ids of tasks are made for one task: one that is taken after an attempt that may have arrived was taken by it. */
    async enqueue(task) {
      const reply = await post('', { task: writeTask(task, sealing) })
      if (reply.uncertain && codeOf(reply) === 'already_exists') return
      accepted(reply, aboutTask(task))
    },
    async begin(task, worker) {
      const reply = await post('', { task: writeTask(task, sealing), worker })
      if (reply.uncertain && codeOf(reply) === 'already_exists') {
        const begun = (await listed()).find(({ id, held }) => id === task.id && held?.worker === worker)
        if (begun?.held && begun.attempts === 1) return claimOf(task, begun.held, begun.created_at)
      }
      const { claim } = parsed(z.object({ claim: claimSchema }), accepted(reply, aboutTask(task)))
      return { worker: claim.worker, token: claim.token, attempt: claim.attempt, leaseMs: claim.lease_ms, task }
    },
    claim: (worker, kind) => claimReadable(client, sealing, worker, kind),
    async renew(claim) {
      accepted(await post('/renew', { claim: writeClaim(claim) }), aboutClaim(claim))
    },
    /** The queue knows a task that is not over: a conflict about one it does not know is that of our own success. */
    async settle(claim, reason) {
      const reply = await post('/settle', { claim: writeClaim(claim), failure: reason })
      const isOver = async (): Promise<boolean> => !(await listed()).some(({ id }) => id === claim.task.id)
      if (reply.uncertain && codeOf(reply) === 'conflict' && (await isOver())) return
      accepted(reply, aboutClaim(claim))
    },
    /** The token tells a claim from those after it, so that what comes late changes nothing. */
    async giveBack(claim) {
      accepted(await post('/give-back', { claim: writeClaim(claim) }), aboutClaim(claim))
    },
    /** Sent once: one that came late would take what the worker claimed since. Leases that it missed run out. */
    async release(worker) {
      accepted(await post('/release', { worker }, false), { what: `worker ${worker}`, id: worker })
    },
    list: async () => (await listed()).map(openTask),
  }
}

/** A task that cannot be read stays held, so that it is not given out again before the others had their turn. */
async function claimReadable<K extends Task['kind']>(
  client: Client,
  sealing: Sealing,
  worker: string,
  kind: K,
): Promise<Claim<Extract<Task, { kind: K }>> | undefined> {
  let unreadable: unknown
  for (let passed = 0; passed < MOST_PASSED; passed += 1) {
    const claim = await claimOne(client, worker, kind)
    if (!claim) break
    const { token, attempt, lease_ms: leaseMs } = claim
    if (claim.task.kind !== kind) throw brokenAnswer('it answered a task of another kind')
    try {
      const task = readTask(claim.task, sealing) as Extract<Task, { kind: K }>
      return { worker: claim.worker, token, attempt, leaseMs, task }
    } catch (error) {
      unreadable ??= error
    }
  }
  if (unreadable !== undefined) throw unreadable
  return undefined
}

/** Sent once: a claim nobody heard of runs out by itself, and a second one would hold another task meanwhile. */
async function claimOne(
  client: Client,
  worker: string,
  kind: Task['kind'],
): Promise<z.infer<typeof claimSchema> | null> {
  const reply = await client.ask({ method: 'POST', path: '/tasks/claim', body: { worker, kind }, repeatable: false })
  const body = accepted(reply, { what: 'tasks', id: worker })
  return parsed(z.object({ claim: claimSchema.nullable() }), body).claim
}

function aboutTask({ id }: Task): Subject {
  return { what: `task ${id}`, id }
}

function aboutClaim({ task }: Claim): Subject {
  return { ...aboutTask(task), expected: 'a claim that holds the task' }
}

function writeTask(task: Task, sealing: Sealing): object {
  const { kind, id, imageId } = task
  if (kind === 'upload') return { kind, id, image_id: imageId, on_failure: task.onFailure }
  const uri = sealing.close(task.uri, { imageId, purpose: 'task' })
  return { kind, id, image_id: imageId, uri, store: task.store ?? null }
}

function readTask(task: z.infer<typeof taskSchema>, sealing: Sealing): Task {
  const { kind, id, image_id: imageId } = task
  if (kind === 'upload') return { kind, id, imageId, onFailure: task.on_failure }
  return { kind, id, imageId, uri: sealing.open(task.uri, { imageId, purpose: 'task' }), store: task.store }
}

/** Without the payload, which the queue has. */
function writeClaim({ task: { id, kind, imageId }, worker, token, attempt, leaseMs }: Claim): object {
  return { id, kind, image_id: imageId, worker, token, attempt, lease_ms: leaseMs }
}

/** A task that was begun is held from its creation: both times are of the queue's clock, and no other one matters. */
function claimOf(task: Task, { worker, token, until }: NonNullable<ListedTask['held']>, createdAt: Date): Claim {
  return { task, worker, token, attempt: 1, leaseMs: until.getTime() - createdAt.getTime() }
}

function openTask({ id, kind, image_id: imageId, created_at: createdAt, attempts, held }: ListedTask): OpenTask {
  const { worker, token, until, expired } = held ?? {}
  const isHeld = worker !== undefined && token !== undefined && until !== undefined && expired !== undefined
  return { id, kind, imageId, createdAt, attempts, held: isHeld ? { worker, token, until, expired } : undefined }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (!result.success) throw brokenAnswer('it answered a task that is none')
  return result.data
}
