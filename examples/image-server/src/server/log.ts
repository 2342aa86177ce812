import { redactText } from 'mullion'
import {
  type DestinationStream,
  type LogFn,
  type Logger,
  type LoggerOptions,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino'
import type { LogLevel } from '../config/sections/log.ts'

/** JSON lines on standard error, or where `destination` says. Neither tokens nor the secrets of locations get into it. */
export function createLog(level: LogLevel, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [`["${field}"]`, `*["${field}"]`, `*.*["${field}"]`]),
      censor: '***',
    },
    hooks: {
      logMethod(entry, write) {
        write.apply(this, redactedEntry(entry) as Parameters<LogFn>)
      },
    },
    serializers: { err: redactedError, error: redactedError, req: request, uri: redactedText, location: redactedText },
  }
  // synchronous, so that the last words of a process that ends are not lost
  return pino(options, destination ?? pino.destination({ fd: 2, sync: true }))
}

/** The form of log that the library writes to. */
export function sayTo(log: Logger): (message: string, fields?: Readonly<Record<string, unknown>>) => void {
  return (message, fields = {}) => log.warn(fields, message)
}

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'x-auth-token',
  'x-storage-token',
  'x-service-token',
  'x-service-catalog',
  'x-image-meta-location',
  'x-glance-api-copy-from',
  'password',
  'secret',
  'token',
]

/** The arguments of one call. An entry without a message takes that of its error, and pino would take it as it is. */
function redactedEntry(entry: readonly unknown[]): unknown[] {
  const [first] = entry
  const error = first instanceof Error ? first : (first as { err?: unknown } | undefined)?.err
  const complete = entry.length === 1 && error instanceof Error ? [first, error.message] : entry
  return complete.map(redactedText)
}

function redactedError(error: unknown): unknown {
  return error instanceof Error ? deeply(stdSerializers.err(error)) : error
}

/** Method and path only: headers carry tokens, queries may carry signatures. */
function request(value: { method?: string; url?: string; id?: unknown }): object {
  return { id: value.id, method: value.method, url: value.url?.replace(/\?.*$/s, '') }
}

function redactedText(value: unknown): unknown {
  return typeof value === 'string' ? redactText(value) : value
}

function deeply(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value)
  if (Array.isArray(value)) return value.map(deeply)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, deeply(item)]))
}
