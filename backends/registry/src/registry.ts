import type { ImageRegistry, MemberRegistry, TaskQueue } from 'mullion/images'
import { openClient } from './client.ts'
import { parseConfig, type RemoteRegistryConfig } from './config.ts'
import { remoteImages } from './images.ts'
import { remoteMembers } from './members.ts'
import { createSealing } from './sealing.ts'
import { remoteTasks } from './tasks.ts'

/** The ports of `mullion/images` that remember, over the REST of a registry. */
export interface RemoteRegistry extends AsyncDisposable {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
  /** Ends the calls under way with `closed`; later ones reject it too. */
  close(): Promise<void>
}

/**
 * Connects to nothing yet: a registry that is down is met by the first call, as `unavailable`. Rejects `invalid_config`,
 * also for certificates that cannot be read.
 */
export async function openRemoteRegistry(config: RemoteRegistryConfig): Promise<RemoteRegistry> {
  const settings = parseConfig(config)
  const client = await openClient(settings)
  const sealing = createSealing(settings.encryptionKeys, settings.refusePlain)
  const close = async (): Promise<void> => client.close()
  const images = remoteImages(client, sealing)
  return {
    images,
    members: remoteMembers(client, images),
    tasks: remoteTasks(client, sealing),
    close,
    [Symbol.asyncDispose]: close,
  }
}
