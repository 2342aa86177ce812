import { isMullionError } from '../errors.ts'
import { refOf } from './data.ts'
import type { Image } from './image.ts'
import type { Ports } from './ports.ts'

/**
 * Tells the stores that keep access lists who may reach the data of an image directly: members read it, those who may
 * share it write as well (glance/api/v1/controller.py, update_store_acls). Rejects what the store does; a store without
 * such lists is none the wiser.
 */
export async function pushAcls({ members, stores }: Pick<Ports, 'members' | 'stores'>, image: Image): Promise<void> {
  const active = image.locations.filter(({ status }) => status === 'active')
  if (active.length === 0) return
  const shared = await members.list(image.id)
  const tenants = (canShare: boolean): string[] =>
    shared.filter((member) => member.canShare === canShare).map(({ member }) => member)
  const acls = { public: image.visibility === 'public', readers: tenants(false), writers: tenants(true) }
  for (const location of active) {
    try {
      await stores.setAcls(refOf(location), acls)
    } catch (error) {
      if (!isMullionError(error, 'unsupported')) throw error
    }
  }
}
