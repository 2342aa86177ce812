/** What `import-glance` may find. The codes are stable: docs/command-line.md describes each. */
type GlanceFindingCode =
  | 'location-unserved'
  | 'location-unreadable'
  | 'data-missing'
  | 'data-size'
  | 'data-unchecked'
  | 'status-unknown'
  | 'visibility-unknown'
  | 'record-refused'
  | 'value-lost'

export interface GlanceFinding {
  readonly code: GlanceFindingCode
  readonly image: string
  /** Redacted. */
  readonly location?: string | undefined
  readonly detail: string
}
