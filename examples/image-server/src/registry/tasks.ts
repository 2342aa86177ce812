import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import type { Claim, OpenTask, Task } from 'mullion/images'
import { z } from 'zod'
import { callerOf, refuseReadOnly, type Registry, requireService } from './context.ts'
import { invalid, Refusal } from './errors.ts'
import { sendDocument } from './send.ts'

const name = z.string().min(1).max(255)
const kind = z.enum(['copy', 'upload'])
const toldTask = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('copy'), id: name, image_id: name, uri: z.string(), store: z.string().nullable() }),
  z.object({ kind: z.literal('upload'), id: name, image_id: name, on_failure: z.enum(['kill', 'requeue']) }),
])
const toldClaim = z.object({
  id: name,
  kind,
  image_id: name,
  worker: name,
  token: name,
  attempt: z.int(),
  lease_ms: z.number(),
})
const newTask = z.object({ task: toldTask, worker: name.optional() })
const asking = z.object({ worker: name, kind })
const releasing = z.object({ worker: name })
const telling = z.object({ claim: toldClaim, failure: z.string().optional() })

/** What a worker knows of a task it asks for, or holds. */
type TaskAction = (registry: Registry, body: unknown) => Promise<object | undefined>

/** `POST /tasks/…`, for services only. */
export const TASK_ACTIONS: readonly (readonly [path: string, action: TaskAction])[] = [
  ['', putTask],
  ['/claim', claimTask],
  ['/renew', (registry, body) => withClaim(body, (claim) => registry.ports.tasks.renew(claim))],
  ['/settle', (registry, body) => withClaim(body, (claim, why) => registry.ports.tasks.settle(claim, why))],
  ['/give-back', (registry, body) => withClaim(body, (claim) => registry.ports.tasks.giveBack(claim))],
  ['/release', releaseTasks],
]

export async function actOnTasks(
  action: TaskAction,
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  requireService(caller.actor)
  refuseReadOnly(caller)
  const answer = await action(registry, request.body)
  return answer ? sendDocument(reply, answer) : reply.code(204).send()
}

export async function listTasks(
  { ports }: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  requireService(callerOf(request).actor)
  return sendDocument(reply, { tasks: (await ports.tasks.list()).map(openDocument) })
}

/** With a worker the task is held by it from the start. */
async function putTask({ ports }: Registry, body: unknown): Promise<object | undefined> {
  const wanted = parsed(newTask, body)
  const { worker } = wanted
  const added = taskOf(wanted.task)
  try {
    if (worker !== undefined) return { claim: claimDocument(await ports.tasks.begin(added, worker)) }
    await ports.tasks.enqueue(added)
    return undefined
  } catch (error) {
    throw isMullionError(error, 'already_exists') ? new Refusal('already_exists', 'The id of the task is taken') : error
  }
}

async function claimTask({ ports }: Registry, body: unknown): Promise<object> {
  const wanted = parsed(asking, body)
  const claimed = await ports.tasks.claim(wanted.worker, wanted.kind)
  return { claim: claimed ? claimDocument(claimed) : null }
}

async function releaseTasks({ ports }: Registry, body: unknown): Promise<undefined> {
  await ports.tasks.release(parsed(releasing, body).worker)
}

async function withClaim(
  body: unknown,
  act: (claim: Claim, failure: string | undefined) => Promise<void>,
): Promise<undefined> {
  const { claim: told, failure } = parsed(telling, body)
  try {
    await act(claimOf(told), failure)
  } catch (error) {
    throw isMullionError(error, 'conflict') ? new Refusal('conflict', 'The claim holds the task no longer') : error
  }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const at = result.error.issues[0]?.path.join('.') || 'body'
  throw invalid(at, `Invalid ${at}`)
}

function taskOf(told: z.infer<typeof toldTask>): Task {
  const { id, image_id: imageId } = told
  if (told.kind === 'upload') return { kind: told.kind, id, imageId, onFailure: told.on_failure }
  return { kind: told.kind, id, imageId, uri: told.uri, store: told.store ?? undefined }
}

/** A claim is told by the id of its task and its token: what the task is about lies in the queue. */
function claimOf({
  id,
  kind: of,
  image_id: imageId,
  worker,
  token,
  attempt,
  lease_ms: leaseMs,
}: z.infer<typeof toldClaim>): Claim {
  const claimed: Task =
    of === 'copy' ? { kind: of, id, imageId, uri: '', store: undefined } : { kind: of, id, imageId, onFailure: 'kill' }
  return { task: claimed, worker, token, attempt, leaseMs }
}

function claimDocument({ task: claimed, worker, token, attempt, leaseMs }: Claim): object {
  return { task: taskDocument(claimed), worker, token, attempt, lease_ms: leaseMs }
}

function taskDocument(shown: Task): object {
  const { kind: of, id, imageId } = shown
  if (shown.kind === 'upload') return { kind: of, id, image_id: imageId, on_failure: shown.onFailure }
  return { kind: of, id, image_id: imageId, uri: shown.uri, store: shown.store ?? null }
}

function openDocument({ id, kind: of, imageId, createdAt, attempts, held: holder }: OpenTask): object {
  return { id, kind: of, image_id: imageId, created_at: createdAt, attempts, held: holder ?? null }
}
