import { isMullionError } from 'mullion'
import { refusal } from '../config/document.ts'
import { type FileVersion, readBounded, stampOfFile } from './bounded-file.ts'
import type { Check } from './check.ts'
import { DEFAULT_RULES } from './defaults.ts'
import { readRules, type WrittenRule } from './document.ts'
import { parseRule } from './parser.ts'
import { RuleError } from './rule-error.ts'
import { type RuleSet, ruleSet } from './rule-set.ts'

/** The methods of a pino logger that are needed. */
export interface FileLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface PolicyFileOptions {
  readonly log: FileLog
  /** Milliseconds of a clock that only goes forward. Default: the process's. */
  readonly nowMs?: () => number
}

const MAX_BYTES = 256 * 1024
const LOOK_EVERY_MS = 1_000

/** A file written this recently may change again within what its time stamps can tell. */
const UNSETTLED_MS = 2_000

/**
 * The rules of a file, which the returned function reads again when the file has changed; it looks once a second at
 * most. All of them are replaced at once: a rule that the new version lacks is gone. While a version cannot be used
 * the last good one stays, and the log says so once. Throws `invalid_config` when the first version cannot be used.
 *
 * Looking is synchronous, so that everything one request is asked is decided by the same version.
 */
export function policyFile(path: string, options: PolicyFileOptions): () => RuleSet {
  const { log, nowMs = () => performance.now() } = options
  const first = readBounded(path, MAX_BYTES)
  let good = { text: first.text, rules: parsePolicy(path, first.text) }
  let stamp = settledStamp(first)
  let failure: string | undefined
  let lookedAt = nowMs()

  function look(): void {
    const found = stampOfFile(path)
    if (found === stamp) return
    const version = readBounded(path, MAX_BYTES)
    stamp = settledStamp(version)
    if (version.text === good.text && failure === undefined) return
    good = { text: version.text, rules: parsePolicy(path, version.text) }
    failure = undefined
    log.info({ file: path }, 'the policy file was read again')
  }

  return () => {
    const now = nowMs()
    if (now - lookedAt < LOOK_EVERY_MS) return good.rules
    lookedAt = now
    try {
      look()
    } catch (error) {
      if (!isMullionError(error)) throw error
      if (error.message !== failure)
        log.error({ err: error }, 'the policy file cannot be used: the last good rules stay')
      failure = error.message
    }
    return good.rules
  }
}

/** The rules in the text of a policy file. Throws `invalid_config` with a line for each problem. */
export function parsePolicy(path: string, text: string): RuleSet {
  const written = inFile(path, [], () => readRules(text))
  const checks = new Map<string, Check>([[ADMIN, parseRule(DEFAULT_RULES[ADMIN])]])
  const problems: string[] = []
  for (const { name, line, source, problem } of written) {
    try {
      if (source === undefined) throw new RuleError(problem ?? '')
      checks.set(name, parseRule(source))
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
      problems.push(`line ${line}: ${name}: ${error.message}`)
    }
  }
  if (problems.length > 0) throw refusal(path, ...problems)
  return inFile(path, written, () => ruleSet(checks))
}

/** Not `default` when the file lacks it: where that lets everybody, everybody would be an administrator. */
const ADMIN = 'context_is_admin'

function settledStamp({ stamp, writtenAt }: FileVersion): string {
  return Date.now() - writtenAt < UNSETTLED_MS ? '' : stamp
}

function inFile<T>(path: string, written: readonly WrittenRule[], read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    const at = written.find(({ name }) => name === error.rule)
    throw refusal(path, `${at ? `line ${at.line}: ${at.name}: ` : ''}${error.message}`)
  }
}
