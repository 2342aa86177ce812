import { isMullionError } from 'mullion'
import { StartFailure } from './failure.ts'

/** Whatever happened, one line an issue and no stack. An internal error says nothing to an operator; its cause may. */
export function messageOf(error: unknown): string {
  if (error instanceof StartFailure) return error.message
  if (isMullionError(error)) {
    const said = error.code === 'internal' && error.cause instanceof Error ? firstLine(error.cause.message) : ''
    const why = said || systemReason(error.cause)
    return error.message.replace(/; see the cause$/, '') + (why && `: ${why}`)
  }
  return firstLine(error instanceof Error ? error.message : String(error))
}

/** What the system said of a connection: an address or a name, and never credentials. */
function systemReason(cause: unknown): string {
  const one: unknown = cause instanceof AggregateError ? cause.errors[0] : cause // a name with several addresses
  return one instanceof Error && 'syscall' in one ? firstLine(one.message) : ''
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
