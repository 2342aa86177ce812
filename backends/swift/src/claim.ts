import { randomUUID } from 'node:crypto'
import { segmentsContainerOf } from './containers.ts'
import { alreadyExists, statusError } from './errors.ts'
import { deleteAll, newest, type ObjectPlace, pause, UPLOAD_HEADER } from './objects.ts'
import { refusalOf } from './reply.ts'
import { afterwards, putObject, type Tools } from './tools.ts'

/** The right to make an object appear under a name that is free. */
export interface Claim {
  /** False when nobody looked whether others write the same key. */
  readonly isExclusive: boolean
  /** Whether the object, now that it is there, is the only one: nobody claimed the name meanwhile. */
  isKept(signal: AbortSignal): Promise<boolean>
  release(): Promise<void>
}

/** A claim as old as that was left behind by a writer that ended. Making an object appear takes less. */
export const STALE_CLAIM_MS = 120_000

/** Everything of ours but the objects themselves: claims and segments. */
export const OWN_PREFIX: string = 'mullion/'

/**
 * Neither Swift nor radosgw lets exactly one of two writers win: `If-None-Match: *` is judged when a PUT begins (swift
 * obj/server.py) or not at all. So a writer first writes a claim of its own over a claim object, waits, and goes on if
 * that is still there: Fischer's algorithm (Lamport, "A Fast Mutual Exclusion Algorithm", 1987). It needs the wait to be
 * longer than a claim takes; so who was slower waits longer, and who succeeded looks once more. Rejects `already_exists`.
 */
export async function claim(tools: Tools, place: ObjectPlace, signal: AbortSignal): Promise<Claim> {
  const { account, settings } = tools
  const { exclusiveWaitMs: waitMs } = settings
  if (waitMs === false) {
    await assertFree(tools, place, signal)
    return { isExclusive: false, isKept: async () => true, async release() {} }
  }
  const container = segmentsContainerOf(settings, place.container)
  const spot = { container, object: `${OWN_PREFIX}${place.container}/${place.object}.claim` }
  const token = randomUUID()
  const before = performance.now()
  const other = await newest(account, spot, signal)
  if (other && other.ageMs < STALE_CLAIM_MS) throw alreadyExists(place.object)
  try {
    await occupy(tools, spot, token, signal)
    await pause(Math.max(waitMs, SLOWER * (performance.now() - before - waitMs)), signal)
    signal.throwIfAborted()
    const [mine] = await Promise.all([newest(account, spot, signal), assertFree(tools, place, signal)])
    if (mine?.upload === token) {
      return {
        isExclusive: true,
        isKept: async (late) => (await newest(account, spot, late))?.upload === token,
        release: () => release(tools, spot),
      }
    }
  } catch (error) {
    await release(tools, spot)
    throw error
  }
  throw alreadyExists(place.object)
}

/** What a claim that took longer than the wait waits for each millisecond of that. */
const SLOWER = 10

/** If it is another's by now, that one finds no claim and gives up: it came too late anyway. */
async function release({ account, env }: Tools, spot: ObjectPlace): Promise<void> {
  const deleted = afterwards((signal) => deleteAll(account, [spot], signal))
  if ((await deleted) > 0) env.log('could not remove a claim; it ends by itself', { ...spot })
}

async function assertFree({ account }: Tools, place: ObjectPlace, signal: AbortSignal): Promise<void> {
  if (await newest(account, place, signal)) throw alreadyExists(place.object)
}

async function occupy(tools: Tools, spot: ObjectPlace, token: string, signal: AbortSignal): Promise<void> {
  const headers = { [UPLOAD_HEADER]: token, 'content-type': 'text/plain' }
  const reply = await putObject(tools, spot, { headers, body: new Uint8Array(), signal })
  if (reply.status !== 201) throw statusError(refusalOf(reply), `PUT ${spot.container}/${spot.object}`)
}
