import type { ImageStatus } from 'mullion/images'

/**
 * What Images v1 answers, by its own rules: who sees and who changes an image, and in which order that is asked
 * (glance/api/v1/images.py, members.py; glance/db/sqlalchemy/api.py, is_image_visible and is_image_mutable). Written
 * apart from the server, so that a table of both shows where they differ.
 */
export const WHO = ['admin', 'owner', 'sharer', 'member', 'stranger', 'anonymous'] as const
export type Who = (typeof WHO)[number]

export interface State {
  readonly status: ImageStatus
  readonly isPublic: boolean
}

const STATUSES: readonly ImageStatus[] = [
  'queued',
  'saving',
  'active',
  'killed',
  'deactivated',
  'pending_delete',
  'deleted',
]
export const STATES: readonly State[] = STATUSES.flatMap((status) =>
  [true, false].map((isPublic) => ({ status, isPublic })),
)

export interface Expected {
  readonly code: number
  /** Part of the answer. */
  readonly text?: string
  /** What a request that succeeds makes of the image; nothing changes otherwise. */
  readonly effect?: 'renamed' | 'uploaded' | 'registered' | 'removed' | 'shared' | 'sharedOnly' | 'unshared'
}

export type Rule = (who: Who, state: State) => Expected

const isDeleted = ({ status }: State): boolean => status === 'deleted' || status === 'pending_delete'

function sees(who: Who, state: State): boolean {
  if (who === 'admin') return true
  if (isDeleted(state)) return false
  return state.isPublic || who === 'owner' || who === 'member' || who === 'sharer'
}

const changes = (who: Who): boolean => who === 'admin' || who === 'owner'

const READ_ONLY: Expected = { code: 403, text: 'Read-only access' }
const NO_IMAGE: Expected = { code: 404, text: 'not found' }

/** The checks that come before those of a PUT, in order; then who may not change learns no more than that. */
function put(who: Who, state: State, then: () => Expected | undefined, done: Expected): Expected {
  if (who === 'anonymous') return READ_ONLY
  if (!sees(who, state)) return NO_IMAGE
  if (state.status === 'deleted') return { code: 403, text: 'Forbidden to update deleted image.' }
  const refused = then()
  if (refused) return refused
  if (changes(who)) return done
  return state.isPublic
    ? { code: 403, text: 'Forbidden to update image: ' }
    : { code: 404, text: 'Failed to find image to update: ' }
}

/** What comes before a change of members. */
function share(who: Who, state: State, done: () => Expected): Expected {
  if (who === 'anonymous') return READ_ONLY
  if (!sees(who, state)) return NO_IMAGE
  if (state.status === 'deleted') return { code: 404, text: 'has been deleted.' }
  if (!changes(who) && who !== 'sharer') return { code: 404, text: 'No permission to share that image' }
  return done()
}

function listed(who: Who, state: State): Expected {
  const isHidden = isDeleted(state) || state.status === 'killed'
  const isTheirs = state.isPublic || who === 'owner' || who === 'member' || who === 'sharer'
  return { code: 200, text: !isHidden && isTheirs ? 'listed' : 'not listed' }
}

export type Route =
  | 'head'
  | 'get'
  | 'rename'
  | 'upload'
  | 'register'
  | 'remove'
  | 'members'
  | 'addMember'
  | 'replaceMembers'
  | 'removeMember'
  | 'listBrief'
  | 'listDetail'
  | 'sharedImages'
  | 'create'

export const RULES: Readonly<Record<Route, Rule>> = {
  head: (who, state) => (sees(who, state) ? { code: 200 } : { code: 404 }),
  get(who, state) {
    if (!sees(who, state)) return NO_IMAGE
    if (state.status === 'deactivated') return { code: 403, text: 'is deactivated' }
    return state.status === 'active' ? { code: 200, text: 'data' } : { code: 404, text: 'is not active' }
  },
  rename: (who, state) => put(who, state, () => undefined, { code: 200, effect: 'renamed' }),
  upload: (who, state) =>
    put(
      who,
      state,
      () => (state.status === 'queued' ? undefined : { code: 409, text: 'Cannot upload to an unqueued image' }),
      { code: 200, effect: 'uploaded' },
    ),
  register: (who, state) =>
    put(who, state, () => (state.status === 'queued' ? undefined : NOT_QUEUED), { code: 200, effect: 'registered' }),
  remove(who, state) {
    if (who === 'anonymous') return READ_ONLY
    if (!sees(who, state)) return NO_IMAGE
    if (state.status === 'pending_delete') return { code: 403, text: 'Forbidden to delete a pending_delete image.' }
    if (state.status === 'deleted') return NO_IMAGE
    if (changes(who)) return { code: 200, effect: 'removed' }
    return state.isPublic
      ? { code: 403, text: 'Forbidden to delete image: ' }
      : { code: 404, text: 'Failed to find image to delete: ' }
  },
  members(who, state) {
    if (!sees(who, state)) return NO_IMAGE
    if (state.status === 'deleted') return { code: 404, text: 'has been deleted.' }
    const own = who === 'member' ? '"t2"' : '"t4"'
    if (changes(who)) return { code: 200, text: '"t2"' }
    return { code: 200, text: who === 'member' || who === 'sharer' ? own : '{"members":[]}' }
  },
  addMember: (who, state) => share(who, state, () => ({ code: 204, effect: 'shared' })),
  replaceMembers: (who, state) =>
    share(who, state, () => ({ code: 204, effect: changes(who) ? 'sharedOnly' : 'shared' })),
  removeMember: (who, state) =>
    share(who, state, () =>
      changes(who) ? { code: 204, effect: 'unshared' } : { code: 404, text: 'Membership could not be found.' },
    ),
  listBrief: listed,
  listDetail: listed,
  /** Of tenant t2's. */
  sharedImages(who, { status }) {
    const isTheirs = who === 'admin' || who === 'owner' || who === 'member'
    return { code: 200, text: isTheirs && status !== 'deleted' ? 'listed' : 'not listed' }
  },
  create: (who) => (who === 'anonymous' ? READ_ONLY : { code: 409, text: 'already exists' }),
}

const NOT_QUEUED: Expected = {
  code: 400,
  text: 'Attempted to update Location field for an image not in queued status.',
}
