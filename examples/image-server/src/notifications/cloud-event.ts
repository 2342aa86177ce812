import type { Notification } from './notification.ts'

/** A CloudEvents 1.0 event in the structured JSON form (CloudEvents specification, JSON event format §3). */
export interface CloudEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: `org.openstack.image.${string}`
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  /** An extension attribute, whose names are lower-case letters and digits only. */
  readonly priority: Notification['priority']
  readonly data: Notification['payload']
}

/** `source` and `id` together are unique: the publisher and the id of the notification. */
export function cloudEvent(notification: Notification): CloudEvent {
  const { messageId, publisherId, eventType, priority, payload, timestamp, imageId } = notification
  return {
    specversion: '1.0',
    id: messageId,
    source: publisherId,
    type: `org.openstack.${eventType}`,
    subject: imageId,
    time: timestamp.toISOString(),
    datacontenttype: 'application/json',
    priority,
    data: payload,
  }
}
