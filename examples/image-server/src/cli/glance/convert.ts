import type { Image, ImageStatus, Visibility } from 'mullion/images'
import { STATUSES, VISIBILITIES } from '../records/document.ts'
import type { ImageRecord } from '../records/put.ts'
import { settled } from '../records/settled.ts'
import type { Row } from './database.ts'
import type { GlanceFinding } from './findings.ts'
import { type LocationOptions, liveLocations, readLocation } from './locations.ts'
import { booleanOf, type GlanceRows, integerOf, textOf, timeOf } from './rows.ts'

export interface Converted {
  /** Undefined when the image cannot be taken over. */
  readonly record: ImageRecord | undefined
  readonly findings: readonly GlanceFinding[]
}

/** An image of Glance as a record of ours. Nothing is asked of any store. */
export function convert(rows: GlanceRows, options: LocationOptions): Converted {
  const id = textOf(rows.image['id']) ?? ''
  const status = statusOf(rows.image)
  if (status === undefined) {
    const detail = `the status ${JSON.stringify(textOf(rows.image['status']))} is not known`
    return { record: undefined, findings: [{ code: 'status-unknown', image: id, detail }] }
  }
  const visibility = visibilityOf(rows) ?? (status === 'deleted' ? 'private' : undefined)
  if (visibility === undefined) {
    const detail = `the visibility ${JSON.stringify(textOf(rows.image['visibility']))} is not known`
    return { record: undefined, findings: [{ code: 'visibility-unknown', image: id, detail }] }
  }
  const read = liveLocations(rows.locations, status).map((row) => readLocation(row, options))
  const findings: GlanceFinding[] = lostValues(id, rows, status)
  for (const one of read) {
    if ('unreadable' in one) findings.push({ code: 'location-unreadable', image: id, detail: one.unreadable })
    else if (one.unserved) findings.push({ image: id, ...one.unserved })
  }
  if (read.some((one) => 'unreadable' in one)) return { record: undefined, findings }
  const locations = read.flatMap((one) => ('location' in one ? [one.location] : []))
  return { record: recordOf(rows, { id, status, visibility, locations }), findings }
}

function recordOf(
  { image, properties, members, tags }: GlanceRows,
  { id, status, visibility, locations }: Pick<Image, 'id' | 'status' | 'visibility' | 'locations'>,
): ImageRecord {
  const created = timeOf(image['created_at']) ?? new Date(0)
  const updated = timeOf(image['updated_at']) ?? created
  const isGone = status === 'deleted' || status === 'pending_delete'
  const size = integerOf(image['size'])
  const live = (rows: readonly Row[]): readonly Row[] =>
    status === 'deleted' ? [] : rows.filter((row) => !booleanOf(row['deleted']))
  const sharedWith = new Map(live(members).map((row) => [textOf(row['member']) ?? '', booleanOf(row['can_share'])]))
  const record: Image = {
    id,
    name: textOf(image['name']),
    status,
    writer: undefined,
    reason: undefined,
    visibility,
    owner: textOf(image['owner']) || undefined,
    size: size === 0 && !hasData(status) ? undefined : size, // 0 is Glance's word for unknown
    virtualSize: integerOf(image['virtual_size']) || undefined,
    checksum: textOf(image['checksum']),
    hashAlgorithm: textOf(image['os_hash_algo']),
    hashValue: textOf(image['os_hash_value']),
    diskFormat: textOf(image['disk_format']),
    containerFormat: textOf(image['container_format']),
    minDisk: integerOf(image['min_disk']) ?? 0,
    minRam: integerOf(image['min_ram']) ?? 0,
    protected: booleanOf(image['protected']),
    properties: new Map(live(properties).map((row) => [textOf(row['name']) ?? '', textOf(row['value']) ?? null])),
    tags: [...new Set(live(tags).map((row) => textOf(row['value']) ?? ''))],
    locations,
    createdAt: created,
    updatedAt: updated,
    deletedAt: isGone ? (timeOf(image['deleted_at']) ?? updated) : undefined,
  }
  return {
    image: settled(record),
    members: [...sharedWith].map(([member, canShare]) => ({ member, canShare })),
  }
}

/** A row that is marked as deleted is, whatever its status says: the registry of v1 left that as it was. */
function statusOf(image: Row): ImageStatus | undefined {
  const status = textOf(image['status']) ?? ''
  if (booleanOf(image['deleted']) && status !== 'pending_delete') return 'deleted'
  return STATUSES.find((known) => known === status)
}

function hasData(status: ImageStatus): boolean {
  return status === 'active' || status === 'deactivated' || status === 'pending_delete'
}

/** Before Ocata there was `is_public`; what had members became `shared` (glance/db/sqlalchemy/alembic_migrations). */
function visibilityOf({ image, members }: GlanceRows): Visibility | undefined {
  const visibility = textOf(image['visibility'])
  if (visibility !== undefined) return VISIBILITIES.find((known) => known === visibility)
  if (booleanOf(image['is_public'])) return 'public'
  return members.some((row) => !booleanOf(row['deleted'])) ? 'shared' : 'private'
}

/** What has no place here. */
function lostValues(id: string, { image, members }: GlanceRows, status: ImageStatus): GlanceFinding[] {
  if (status === 'deleted') return []
  const findings: GlanceFinding[] = []
  if (booleanOf(image['os_hidden'])) {
    findings.push({ code: 'value-lost', image: id, detail: 'it was hidden from lists (os_hidden); here it is listed' })
  }
  const rejected = members.filter((row) => !booleanOf(row['deleted']) && textOf(row['status']) === 'rejected')
  if (rejected.length > 0) {
    const detail = `${rejected.length} members had rejected it; here a membership has no status`
    findings.push({ code: 'value-lost', image: id, detail })
  }
  return findings
}
