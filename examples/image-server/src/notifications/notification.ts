import type { NotificationEvent, PublicImage } from 'mullion/images'
import type { DataSent } from '../v1/context.ts'
import { type ImageDetail, imageDetail } from '../v1/document.ts'

/** One notification as OpenStack's services know it (oslo.messaging, notify/notifier.py). It says no location of data. */
export interface Notification {
  /** A UUID; the same at every adapter and at every try. */
  readonly messageId: string
  readonly publisherId: string
  readonly eventType: `image.${NotificationEvent}`
  readonly priority: 'INFO' | 'ERROR'
  /** Why, of an upload that failed; otherwise what the event is about. */
  readonly payload: ImageDetail | SentPayload | string
  readonly timestamp: Date
  readonly imageId: string
}

/** Who was sent how much of an image (glance/api/common.py, image_send_notification). */
export interface SentPayload {
  readonly bytes_sent: number
  readonly image_id: string
  readonly owner_id: string | null
  readonly receiver_tenant_id: string | null
  readonly receiver_user_id: string | null
  readonly destination_ip: string
}

export type NotificationFacts = Pick<Notification, 'eventType' | 'priority' | 'payload' | 'imageId'>

export function imageFacts(event: NotificationEvent, image: PublicImage, failure?: string): NotificationFacts {
  return {
    eventType: `image.${event}`,
    priority: failure === undefined ? 'INFO' : 'ERROR',
    payload: failure === undefined ? imageDetail(image) : withoutPlaces(failure),
    imageId: image.id,
  }
}

/** An error when the receiver did not get all of it. */
export function sentFacts(event: DataSent): NotificationFacts {
  const { image, bytesSent, failure, receiverTenant, receiverUser, destinationIp } = event
  return {
    eventType: 'image.send',
    priority: failure === undefined ? 'INFO' : 'ERROR',
    payload: {
      bytes_sent: bytesSent,
      image_id: image.id,
      owner_id: image.owner ?? null,
      receiver_tenant_id: receiverTenant ?? null,
      receiver_user_id: receiverUser ?? null,
      destination_ip: destinationIp,
    },
    imageId: image.id,
  }
}

/** Reasons come from stores and file systems, whose words may name where the data of an image lies: CVE-2013-0212. */
function withoutPlaces(text: string): string {
  return text
    .replaceAll(/\b([A-Za-z][A-Za-z0-9+.-]*):\/\/[^\s"'<>]*[^\s"'<>:,;.]/g, '$1://***')
    .replaceAll(/(?<![\w/:*.])\/[^\s"'<>:,;]+/g, '***')
}
