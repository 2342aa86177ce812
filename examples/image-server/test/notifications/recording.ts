import type { Notification } from '../../src/notifications/notification.ts'
import type { Outlet } from '../../src/notifications/publisher.ts'
import type { OutboxLog } from '../../src/notifications/troubles.ts'

export interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Record<string, unknown>
  readonly message: string
}

export interface RecordingLog extends OutboxLog {
  readonly lines: readonly Line[]
  messages(): readonly string[]
}

export function recordingLog(): RecordingLog {
  const lines: Line[] = []
  const at = (level: Line['level']) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message })
  return {
    lines,
    messages: () => lines.map(({ message }) => message),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
}

/** Keeps what it is given. */
export function recordingOutlet(): Outlet & { readonly notifications: readonly Notification[] } {
  const notifications: Notification[] = []
  return { notifications, add: (notification) => void notifications.push(notification), close: async () => {} }
}

/** The notification number `n` of a test, some 10 bytes of payload unless more is asked for. */
export function numbered(n: number, payload = `number ${n}`): Notification {
  return {
    messageId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    publisherId: 'image.test',
    eventType: 'image.update',
    priority: 'INFO',
    payload,
    timestamp: new Date('2026-11-22T16:25:14.123Z'),
    imageId: 'an-image',
  }
}

/** The number of a notification. */
export function numberOf({ messageId }: { readonly messageId: string }): number {
  return Number(messageId.slice(-12))
}
