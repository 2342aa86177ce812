import type { Image, Ports } from 'mullion/images'
import type { ImageCache } from '../cache/port.ts'
import type { ActorSettings } from '../plugins/actor.ts'
import type { PropertyProtections } from '../protections/rules.ts'

/** What the API needs from outside beyond the ports of the use cases. */
export interface ServerPorts {
  /** The store meant by `x-image-meta-store`, undefined when there is none. Default: schemes are names of stores. */
  storeNamed?(name: string): string | undefined
  /**
   * Throws when a URI that a store serves may not be asked for, by its text alone: no I/O. Default: all may.
   */
  checkSource?(uri: string): void
  /** Who may do what with custom properties. Default: everything is allowed. */
  readonly protections?: PropertyProtections
  /** Copies of image data near the server. Default: data always comes from its store. */
  readonly cache?: ImageCache
  /** Told after the data of an image was sent. May not throw and may not wait. Default: the notifier's `send`. */
  dataSent?(event: DataSent): void
  /** Aborts when transfers have to end because the server does. Default: never. */
  readonly stopping?: AbortSignal
}

export interface DataSent {
  readonly image: Image
  readonly bytesSent: number
  /** Why the client did not get all of it. */
  readonly failure: string | undefined
  readonly receiverTenant: string | undefined
  readonly receiverUser: string | undefined
  readonly destinationIp: string
}

export interface V1Settings extends ActorSettings {
  readonly diskFormats: readonly string[]
  readonly containerFormats: readonly string[]
  /** Bytes of the largest image that is taken in. */
  readonly imageSizeCap: number
  /** Custom properties of an image; negative for no limit. */
  readonly propertyQuota: number
  /** Octets of the names and values of an image's custom properties together; negative for no limit. */
  readonly propertiesSize: number
  /** Members of an image; negative for no limit. */
  readonly memberQuota: number
  /** Bytes that the images of one owner may take up together; undefined for no limit. */
  readonly storageQuota: number | undefined
  /** Images on a page of a list when the request does not say, and at most. */
  readonly limitParamDefault: number
  readonly apiLimitMax: number
  /** Keep the data of deleted images until the scrubber removes it. */
  readonly delayedDelete: boolean
  /** Schemes that no external source may have although a store serves them. */
  readonly refusedSchemes: readonly string[]
  /** A client that sends nothing of its body, or takes nothing of an image, for this long is left; 0 for never. */
  readonly idleTimeoutMs: number
}

/** What every action of the API is given. */
export interface V1 {
  readonly ports: Ports & ServerPorts
  readonly settings: V1Settings
}
