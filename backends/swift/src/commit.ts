import { type Claim, claim } from './claim.ts'
import { alreadyExists, failure, statusError } from './errors.ts'
import type { SwiftLocation } from './location.ts'
import { deleteObject, insistently, newest, type ObjectPlace } from './objects.ts'
import { etagOf, type Reply, refusalOf } from './reply.ts'
import { afterwards, type Tools } from './tools.ts'
import type { WriteOptions } from 'mullion'

/** One write, from the first look at its key to its object. */
export interface Job {
  readonly tools: Tools
  readonly place: ObjectPlace
  readonly at: SwiftLocation
  /** Marks the object as made by this write. */
  readonly upload: string
  readonly options: Pick<WriteOptions<SwiftLocation>, 'signal' | 'announce' | 'alive'>
}

/** What the server must say of the object. */
export interface Expected {
  readonly size: number
  readonly etag: string
}

/** Makes the name ours and says so. From here on the object may appear. Rejects `already_exists`. */
export async function claimed({ tools, place, at, options: { signal, announce } }: Job): Promise<Claim> {
  const mine = await claim(tools, place, signal)
  try {
    await announce(at)
    signal.throwIfAborted()
    return mine
  } catch (error) {
    await mine.release()
    throw error
  }
}

/**
 * Judges the PUT that makes the object appear. An answer that got lost is asked for: the object may be there all the same.
 * What must not stay is taken back. `claimOf` answers undefined as long as the object could not appear.
 */
export async function committed(
  job: Job,
  put: () => Promise<Reply>,
  claimOf: () => Claim | undefined,
  expectedOf: () => Expected,
): Promise<void> {
  const { place, options } = job
  const outcome = await put().then(
    (reply) => ({ reply }),
    (error: unknown) => ({ error }),
  )
  const held = claimOf()
  if ('reply' in outcome) {
    const { reply } = outcome
    if (reply.status === 201 && held && etagOf(reply.headers) === expectedOf().etag) return kept(job, held)
    if (reply.status === 412) throw alreadyExists(place.object)
  }
  const isAnswered = 'reply' in outcome && outcome.reply.status < 500 && outcome.reply.status !== 408
  if (held && !isAnswered && !options.signal.aborted && (await hasLanded(job, expectedOf()))) return kept(job, held)
  if (held) await takeBack(job, held)
  if ('error' in outcome) throw outcome.error
  const what = `PUT ${place.container}/${place.object}`
  if (outcome.reply.status === 201) throw failure('unavailable', `${what}: other bytes arrived than were sent`, {})
  throw statusError(refusalOf(outcome.reply), what)
}

/** Rejects `unavailable` when the object is not what was written; it is then taken back. */
export async function verified(job: Job, held: Claim, { size, etag }: Expected): Promise<void> {
  const { tools, place, upload, options } = job
  const head = await insistently(job.options.signal, () => newest(tools.account, place, options.signal)).catch(
    async (error: unknown) => {
      await takeBack(job, held)
      throw error
    },
  )
  if (head?.size === size && head.etag === etag && head.upload === upload) return
  await takeBack(job, held)
  throw failure('unavailable', `HEAD ${place.container}/${place.object}: not what was written`, {})
}

/** Another writer that was not seen may not have seen us either: then nobody wins rather than two. */
async function kept(job: Job, held: Claim): Promise<void> {
  try {
    if (await insistently(job.options.signal, () => held.isKept(job.options.signal))) return
  } catch (error) {
    await takeBack(job, held)
    throw error
  }
  await takeBack(job, held)
  throw alreadyExists(job.place.object)
}

function hasLanded(job: Job, { size, etag }: Expected): Promise<boolean> {
  const { tools, place, upload } = job
  const looked = afterwards(async (signal) => {
    const head = await insistently(job.options.signal, () => newest(tools.account, place, signal))
    return head?.upload === upload && head.size === size && head.etag === etag
  })
  return looked.catch(() => false)
}

/**
 * A request that was given up may still be carried out; the later deletion then wins (swift obj/diskfile.py keeps a
 * tombstone). Without a claim, only what is certainly ours is deleted.
 */
async function takeBack({ tools, place, upload }: Job, { isExclusive }: Claim): Promise<void> {
  const { account, env } = tools
  const taken = afterwards(async (signal) => {
    const head = await newest(account, place, signal)
    if (head?.upload === upload || (head === undefined && isExclusive)) await deleteObject(account, place, signal)
  })
  await taken.catch((error: unknown) => env.log('could not take back an object', { ...place, error: String(error) }))
}
