import ts from 'typescript'
import { ERRORS, type ErrorCode, MullionError } from 'mullion'
import { TRANSITIONS } from 'mullion/images'

type Transitions = Readonly<Record<string, Readonly<Record<string, string>>>>
type Row = readonly string[]

/** Replaces what stands between the markers of `name`; throws when the document has no such markers. */
export function withGenerated(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`no markers for ${name}`)
  return `${document.slice(0, from)}${begin}\n\n${text}\n\n${document.slice(to)}`
}

/** One row per code. `source` is the text of src/errors.ts, which knows the types of the details. */
export function errorTable(source: string): string {
  const details = detailsOf(source)
  const rows = Object.entries(ERRORS).map(([code, { meaning, remedy }]): Row => {
    const { retryable } = new MullionError(code as ErrorCode, code, { details: {} })
    return [`\`${code}\``, meaning, remedy, details.get(code) ?? '', retryable ? 'yes' : 'no']
  })
  return table(['code', 'meaning', 'what to do', 'details', 'retryable'], rows)
}

/** A Mermaid diagram of the life cycle. */
export function stateDiagram(transitions: Transitions = TRANSITIONS): string {
  const arrows = Object.entries(transitions).flatMap(([event, row]) =>
    Object.entries(row).map(([from, to]) => ({ event, from, to })),
  )
  const events = Map.groupBy(arrows, ({ from, to }) => `${from} --> ${to}`)
  const lines = Array.from(events, ([arrow, group]) => `  ${arrow}: ${group.map(({ event }) => event).join(', ')}`)
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> queued', ...lines, '  deleted --> [*]', '```'].join('\n')
}

/** The same as a table: one row per event. */
export function transitionTable(transitions: Transitions = TRANSITIONS): string {
  const rows = Object.entries(transitions).map(([event, row]): Row => {
    const targets = Map.groupBy(Object.entries(row), ([, to]) => to)
    const pairs = Array.from(targets, ([to, group]) => `${group.map(([from]) => from).join(', ')} → ${to}`)
    return [`\`${event}\``, pairs.join('; ')]
  })
  return table(['event', 'from → to'], rows)
}

function table(head: Row, rows: readonly Row[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Code → the fields of its details, read from the interface ErrorDetails. */
function detailsOf(source: string): ReadonlyMap<string, string> {
  const file = ts.createSourceFile('errors.ts', source, ts.ScriptTarget.Latest, true)
  const types = file.statements.find(
    (node): node is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(node) && node.name.text === 'ErrorDetails',
  )
  const members = types?.members.filter(ts.isPropertySignature) ?? []
  return new Map(
    members.map(({ name, type }) => [name.getText(), type && ts.isTypeLiteralNode(type) ? fields(type) : '']),
  )
}

function fields(type: ts.TypeLiteralNode): string {
  const texts = type.members.map((member) =>
    member.getText().replace('readonly ', '').replace(/;$/, '').replaceAll('|', '\\|'),
  )
  return texts.map((text) => `\`${text}\``).join(', ')
}
