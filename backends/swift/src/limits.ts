/** What a cluster says of large objects (`/info`). */
export interface ServiceLimits {
  /** Bytes of one object, so of one segment too. */
  readonly maxFileSize: number
  readonly maxSegments: number
}

/** swift common/constraints.py and common/middleware/slo.py; radosgw has the same (`rgw_max_put_size`, `rgw_max_slo_entries`). */
export const USUAL_LIMITS: ServiceLimits = { maxFileSize: 5 * 1024 ** 3, maxSegments: 1000 }
