import { posix } from 'node:path'
import ts from 'typescript'

export interface Import {
  /** Path of the importing file from the root of the repository, with forward slashes. */
  readonly file: string
  readonly specifier: string
  readonly typeOnly: boolean
}

/** Imports point from high to low. A file of the core that is not named here has rank 1. */
const RANKS: Readonly<Record<string, number>> = { errors: 0, add: 2, get: 2, copy: 3, stores: 4, index: 5 }

/** What each folder of the core may import besides itself; `.` are the files directly in src. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  '.': ['hash'],
  hash: ['.'],
  layers: ['.'],
  images: ['.', 'hash'],
  testkit: ['.', 'layers', 'images'],
}

const PUBLIC = new Set(['mullion', 'mullion/layers', 'mullion/images', 'mullion/testkit'])

/** Every import and re-export of a module, `import()` included. */
export function importsOf(file: string, text: string): readonly Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && isText(node.moduleSpecifier)) {
      found.push({ file, specifier: node.moduleSpecifier.text, typeOnly: isTypeOnly(node) })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (isText(argument)) found.push({ file, specifier: argument.text, typeOnly: false })
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
  return found
}

/** Why an import is not allowed, undefined when it is. */
export function violation({ file, specifier, typeOnly }: Import, dependencies: readonly string[]): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  if (specifier.startsWith('.')) return relativeViolation(file, posix.join(posix.dirname(file), specifier))
  if (file.startsWith('src/')) {
    return typeOnly && specifier === '@standard-schema/spec' ? undefined : 'the core imports node:* and types only'
  }
  if (specifier.startsWith('mullion/') && !PUBLIC.has(specifier)) return 'a deep path of mullion is not public'
  const owner = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (!dependencies.includes(owner)) return `${owner} is no dependency of the package`
  if (file.startsWith('backends/') && owner.startsWith('@mullion/'))
    return 'a backend knows no other package than mullion'
  return undefined
}

function relativeViolation(file: string, target: string): string | undefined {
  if (!file.startsWith('src/')) {
    const root = file.split('/', 2).join('/')
    return target.startsWith(`${root}/src/`) ? undefined : 'a relative import leaves the sources of the package'
  }
  if (!target.startsWith('src/')) return 'a relative import leaves the sources of the core'
  const [from, to] = [folderOf(file), folderOf(target)]
  if (from !== to) return FOLDERS[from]?.includes(to) ? undefined : `${from} may not import ${to}`
  if (from !== '.') return undefined
  return rankOf(target) > rankOf(file) ? `${nameOf(file)} lies below ${nameOf(target)}` : undefined
}

const folderOf = (file: string): string => posix.relative('src', posix.dirname(file)).split('/')[0] || '.'
const nameOf = (file: string): string => posix.basename(file, '.ts')
const rankOf = (file: string): number => RANKS[nameOf(file)] ?? 1

function isText(node: ts.Node | undefined): node is ts.StringLiteral {
  return node !== undefined && ts.isStringLiteral(node)
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
}
