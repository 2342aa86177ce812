/** Where an image stands. Glance's words (OpenStack Images API v2, "Image status"). */
export type ImageStatus =
  | 'queued'
  | 'saving'
  | 'uploading'
  | 'importing'
  | 'active'
  | 'killed'
  | 'deactivated'
  | 'pending_delete'
  | 'deleted'

export type ImageEvent =
  | 'upload'
  | 'stage'
  | 'import'
  | 'activate'
  | 'requeue'
  | 'kill'
  | 'deactivate'
  | 'reactivate'
  | 'trash'
  | 'restore'
  | 'delete'

/** From a status, where an event leads. */
export type Transitions = Readonly<Record<ImageEvent, Readonly<Partial<Record<ImageStatus, ImageStatus>>>>>

/**
 * What may happen to an image, and where it leads from each status. The only place that says so. Rows are events, not
 * target states: a caller says what happened. The pairs are those of Glance (glance/domain/__init__.py,
 * valid_state_targets) and the v1 API's `queued → killed` for a copy that fails before it starts.
 */
export const TRANSITIONS: Transitions = {
  upload: { queued: 'saving' },
  stage: { queued: 'uploading' },
  import: { queued: 'importing', uploading: 'importing' },
  /** From queued: a location was registered, or the size is 0. */
  activate: { queued: 'active', saving: 'active', importing: 'active' },
  /** A failure in v2, or a copy that a shutdown interrupts: data may come again. */
  requeue: { saving: 'queued', uploading: 'queued', importing: 'queued' },
  /** A failure in v1: final. */
  kill: { queued: 'killed', saving: 'killed' },
  deactivate: { active: 'deactivated', deactivated: 'deactivated' },
  reactivate: { deactivated: 'active', active: 'active' },
  trash: { active: 'pending_delete' },
  restore: { pending_delete: 'active' },
  delete: {
    queued: 'deleted',
    saving: 'deleted',
    uploading: 'deleted',
    importing: 'deleted',
    active: 'deleted',
    deactivated: 'deleted',
    killed: 'deleted',
    pending_delete: 'deleted',
  },
}

/** The status `event` leads to from `status`, undefined when it may not happen there. */
export function nextStatus(event: ImageEvent, status: ImageStatus): ImageStatus | undefined {
  return TRANSITIONS[event][status]
}
