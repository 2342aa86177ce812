import type { Notification } from './notification.ts'

/**
 * The body of a message as the `messagingv2` driver sends it: the notification as text inside an envelope
 * (oslo.messaging, _drivers/common.py, serialize_msg).
 */
export function osloMessage(notification: Notification): string {
  const { messageId, publisherId, eventType, priority, payload, timestamp } = notification
  const message = {
    message_id: messageId,
    publisher_id: publisherId,
    event_type: eventType,
    priority,
    payload,
    timestamp: osloTime(timestamp),
    // by which listeners know a message that arrives twice (_drivers/amqp.py, _MsgIdCache): the same at every try
    _unique_id: messageId.replaceAll('-', ''),
  }
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) })
}

/** UTC as Python prints it: `2026-11-22 16:25:14.123000` (notify/notifier.py). */
function osloTime(time: Date): string {
  return `${time.toISOString().slice(0, -1).replace('T', ' ')}000`
}
