import { createStores, memory, type StoreMap, type Stores } from 'mullion'
import {
  create,
  type Image,
  type ImageDraft,
  type ImageStatus,
  memoryRegistry,
  memoryTasks,
  openPolicy,
  type Ports,
  type PublicImage,
} from 'mullion/images'

export interface Notice {
  readonly event: string
  readonly image: PublicImage
  readonly failure: string | undefined
}

export interface Scene extends AsyncDisposable {
  readonly ports: Ports
  readonly notices: Notice[]
  /** The events so far, in order, without repetition of what they are about. */
  events(): readonly string[]
  /** A new image, moved to `status` by hand. */
  image(draft?: ImageDraft, patch?: Partial<Image>): Promise<Image>
  get(id: string): Promise<Image>
}

export const START: number = Date.UTC(2026, 0, 1)

/** Everything in memory; time moves by a second with every look at it. */
export async function scene(map: StoreMap = { a: memory() }, over: Partial<Ports> = {}): Promise<Scene> {
  const stores: Stores = await createStores({
    stores: map,
    default: Object.keys(map)[0] ?? '',
    retry: { pause: async () => {} },
  })
  let seconds = 0
  let ids = 0
  const now = (): Date => new Date(START + 1000 * (seconds += 1))
  const notices: Notice[] = []
  const ports: Ports = {
    ...memoryRegistry(now),
    stores,
    notifier: { notify: (event, image, failure) => void notices.push({ event, image, failure }) },
    policy: openPolicy,
    tasks: memoryTasks(),
    worker: 'w',
    now,
    newId: () => `id-${(ids += 1)}`,
    ...over,
  }
  return {
    ports,
    notices,
    events: () => notices.map(({ event, failure }) => (failure === undefined ? event : `${event}!`)),
    async image(draft = {}, patch = {}) {
      const image = await create(ports, draft)
      notices.length = 0
      const { createdAt: _created, updatedAt: _updated, id: _id, properties: _properties, ...fields } = patch
      return ports.images.update(image.id, fields)
    },
    get: (id) => ports.images.get(id),
    [Symbol.asyncDispose]: () => stores.close(),
  }
}

export const STATUSES: readonly ImageStatus[] = [
  'queued',
  'saving',
  'uploading',
  'importing',
  'active',
  'killed',
  'deactivated',
  'pending_delete',
  'deleted',
]
