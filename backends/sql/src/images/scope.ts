import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ImageScope, Visibility } from 'mullion/images'
import { isStorable } from '../values.ts'
import type { Condition } from './filters.ts'
import type { Division } from './indexes.ts'

const VISIBILITIES: readonly Visibility[] = ['public', 'private', 'shared', 'community']

/** Images that an index has together and in order. */
export interface Part {
  readonly division: Division
  readonly value: string
  readonly hidden: number
}

/**
 * Parts that together give every image of the scope but those shared with its owner, some of them twice. Each is asked
 * for its own first images: an OR over them would walk over the images of everybody else.
 */
export function partsOf(scope: ImageScope, includeDeleted: boolean): readonly Part[] {
  const hidden = includeDeleted ? [0, 1] : [0]
  return divisions(scope).flatMap((part) => hidden.map((flag) => ({ ...part, hidden: flag })))
}

export function isInPart({ division, value, hidden }: Part): Condition {
  return sql<SqlBool>`${sql.ref(`images.${division}`)} = ${value} and images.hidden = ${hidden}`
}

/** Who sees more than public images: undefined when nobody in particular asks. */
export function ownerOf(scope: ImageScope): string | undefined {
  return scope.kind === 'visible' && scope.owner !== undefined && isStorable(scope.owner) ? scope.owner : undefined
}

/** For the few images that something else than the scope leads to. */
export function isInScope(scope: ImageScope, includeDeleted: boolean): readonly Condition[] {
  const shown = includeDeleted ? [] : [sql<SqlBool>`images.hidden = 0`]
  if (scope.kind === 'all') return shown
  if (scope.kind === 'not') return [...shown, sql<SqlBool>`images.visibility <> ${scope.visibility}`]
  const owner = ownerOf(scope)
  const open = sql<SqlBool>`images.visibility = 'public'`
  if (owner === undefined) return [...shown, open]
  const shared = sql`select 1 from image_members where image_members.image_id = images.id and ${isMember(owner)}`
  return [...shown, sql<SqlBool>`(${open} or images.owner = ${owner} or exists (${shared}))`]
}

/** On a row of `image_members`. */
export function isMember(owner: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`image_members.member = ${owner} and image_members.deleted = 0`
}

function divisions(scope: ImageScope): readonly Omit<Part, 'hidden'>[] {
  const visible = (value: Visibility) => ({ division: 'visibility' as const, value })
  if (scope.kind === 'all') return VISIBILITIES.map(visible)
  if (scope.kind === 'not') return VISIBILITIES.filter((value) => value !== scope.visibility).map(visible)
  const owner = ownerOf(scope)
  return [visible('public'), ...(owner === undefined ? [] : [{ division: 'owner' as const, value: owner }])]
}
