import type { SortKey } from 'mullion/images'
import type { ImagesTable } from '../schema.ts'

export type SortColumn =
  | 'sort_name'
  | 'status'
  | 'sort_container_format'
  | 'sort_disk_format'
  | 'sort_size'
  | 'id'
  | 'created_at'
  | 'updated_at'

/** The column of each sort key: never null, so that it can be compared. */
export const SORT_COLUMNS: { readonly [K in SortKey]: SortColumn } = {
  name: 'sort_name',
  status: 'status',
  containerFormat: 'sort_container_format',
  diskFormat: 'sort_disk_format',
  size: 'sort_size',
  id: 'id',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

/** By what lists are divided before they are sorted: each has the images of one owner, or of one visibility. */
export type Division = 'owner' | 'visibility'

export interface SortIndex {
  readonly name: string
  readonly columns: readonly (keyof ImagesTable)[]
}

/** The index that has a division in the order of a key, hidden images apart. */
export function sortIndex(division: Division, key: SortKey): SortIndex {
  return {
    name: `ix_images_${division}_${SORT_COLUMNS[key]}`,
    columns: [division, 'hidden', ...orderColumns(key)],
  }
}

/** The key, then what breaks ties. A column that others could not break is left out, for the sake of indexes. */
export function orderColumns(key: SortKey): readonly SortColumn[] {
  if (key === 'id') return ['id']
  return key === 'createdAt' ? ['created_at', 'id'] : [SORT_COLUMNS[key], 'created_at', 'id']
}

/** Columns that are filtered by, and that no list is sorted by. */
export const FILTER_COLUMNS = ['min_disk', 'min_ram', 'protected'] as const
export type FilterColumn = (typeof FILTER_COLUMNS)[number]

/** The index that has the images with one value in the order of their creation. */
export function filterIndex(column: FilterColumn): SortIndex {
  return { name: `ix_images_${column}`, columns: [column, 'hidden', 'created_at', 'id'] }
}

/** Has the images with one value of a property in the order of their creation. */
export const PROPERTY_INDEX = 'ix_image_properties_value'
/** Characters of a property's value that are part of its index: databases limit the length of an entry. */
export const VALUE_START = 64
