import type { MemberDraft } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { lengthOf } from './values.ts'

/** `{"member": {"can_share": …}}`, or nothing at all. Throws 400. */
export function readMember(member: string, body: unknown): MemberDraft {
  const id = memberId(member, body)
  if (body === undefined) return { member: id }
  if (!isObject(body)) throw invalidMembership(body)
  if (!Object.hasOwn(body, 'member')) return { member: id }
  const entry = body['member']
  if (!isObject(entry)) throw invalidMembership(body)
  return { member: id, canShare: canShareOf(entry) }
}

/**
 * `{"memberships": [{"member_id": …, "can_share": …}]}`, or one such entry alone. Of two entries for one member the last
 * counts. Throws 400.
 */
export function readMemberships(body: unknown): readonly MemberDraft[] {
  if (!isObject(body)) throw invalidMembership(body)
  const entries = Object.hasOwn(body, 'memberships') ? body['memberships'] : [body]
  if (!Array.isArray(entries)) throw invalidMembership(entries)
  const drafts = new Map<string, MemberDraft>()
  for (const entry of entries as readonly unknown[]) {
    if (!isObject(entry)) throw invalidMembership(entry)
    const member = memberId(entry['member_id'], entry)
    drafts.set(member, { member, canShare: canShareOf(entry) })
  }
  return [...drafts.values()]
}

/** Undefined when the entry does not say. Whatever it says counts by its truth in Python, as clients have it. */
function canShareOf(entry: Readonly<Record<string, unknown>>): boolean | undefined {
  if (!Object.hasOwn(entry, 'can_share')) return undefined
  const value = entry['can_share']
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}

function memberId(value: unknown, shown: unknown): string {
  if (typeof value === 'string' && value !== '' && lengthOf(value) <= 255) return value
  throw invalidMembership(shown ?? value)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const SHOWN = 200 // characters of what was sent

/** Shows the surface: strangers decide how deep the rest is. */
function invalidMembership(shown: unknown): ApiError {
  const isInner = (value: unknown): boolean => typeof value === 'object' && value !== null && value !== shown
  const text = JSON.stringify(shown ?? null, (_key, value: unknown) => (isInner(value) ? '…' : value))
  return new ApiError(400, `Invalid membership association: ${text.slice(0, SHOWN)}`)
}
