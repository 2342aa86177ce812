import { isMullionError } from '../errors.ts'
import type { Acls } from '../store.ts'
import { keyedTurns } from '../turns.ts'
import { refOf } from './data.ts'
import type { Ports } from './ports.ts'

type AclPorts = Pick<Ports, 'images' | 'members' | 'stores'>

const TRIES = 3
const inTurn = keyedTurns()

/**
 * Tells the stores that keep access lists who may reach the data of an image directly: members read it, those who may
 * share it write as well (glance/api/v1/controller.py, update_store_acls). What they are told is what the records say at
 * the end: of two who change them at once, the last word is not that of the slower one. Rejects what the store does; a
 * store without such lists is none the wiser.
 */
export async function pushAcls(ports: AclPorts, id: string): Promise<void> {
  await inTurn(id, async () => {
    let told: string | undefined
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const wanted = await wantedAcls(ports, id)
      if (JSON.stringify(wanted) === told) return
      for (const location of wanted.locations) await push(ports, location, wanted.acls)
      told = JSON.stringify(wanted)
    }
  })
}

async function wantedAcls({ images, members }: AclPorts, id: string) {
  const { locations, visibility } = await images.get(id)
  const active = locations.filter(({ status }) => status === 'active').map(refOf)
  const shared = active.length === 0 ? [] : await members.list(id)
  const tenants = (canShare: boolean): string[] =>
    shared.filter((member) => member.canShare === canShare).map(({ member }) => member)
  const acls: Acls = { public: visibility === 'public', readers: tenants(false), writers: tenants(true) }
  return { locations: active, acls }
}

async function push({ stores }: AclPorts, location: ReturnType<typeof refOf>, acls: Acls): Promise<void> {
  try {
    await stores.setAcls(location, acls)
  } catch (error) {
    if (!isMullionError(error, 'unsupported')) throw error
  }
}
