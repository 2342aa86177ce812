import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Actor } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openProtections } from '../../src/protections/file.ts'
import {
  type Operation,
  OPERATIONS,
  type PropertyProtections,
  ProtectionError,
  readProtections,
  type RuleFormat,
} from '../../src/protections/rules.ts'

function actor(...roles: readonly string[]): Actor {
  return { user: 'u', tenant: 'p', owner: 'p', roles, admin: roles.includes('admin'), readOnly: false }
}

/** A section with the same permission for every operation, some of them replaced. */
function section(pattern: string, all: string, own: Partial<Record<Operation, string>> = {}): string {
  return `[${pattern}]\n${OPERATIONS.map((operation) => `${operation} = ${own[operation] ?? all}`).join('\n')}\n`
}

function allowed(protections: PropertyProtections, name: string, who: Actor): readonly Operation[] {
  return OPERATIONS.filter((operation) => protections.may(operation, name, who) === true)
}

const never = (): boolean => expect.fail('no policy was to be asked')
const byRoles = (text: string): PropertyProtections => readProtections(text, 'roles', never)

describe('protections by roles', () => {
  it('allow what the first section that matches allows, and no other', () => {
    const protections = byRoles(
      section('^x_', 'Member, boss') + section('^x_secret', 'member') + section('.*', 'other'),
    )
    expect(allowed(protections, 'x_secret', actor('boss'))).toEqual(OPERATIONS)
    expect(allowed(protections, 'x_secret', actor('other'))).toEqual([])
    expect(allowed(protections, 'a_x_', actor('other'))).toEqual(OPERATIONS)
  })

  it('search the name: a pattern without anchors matches inside', () => {
    expect(allowed(byRoles(section('secret', 'member')), 'my_secret_x', actor('member'))).toEqual(OPERATIONS)
  })

  it('decide for each operation', () => {
    const own = { create: 'boss', read: '@', update: '!', delete: '' }
    const protections = byRoles(section('.*', 'nobody', own))
    expect(allowed(protections, 'a', actor('boss'))).toEqual(['create', 'read'])
    expect(allowed(protections, 'a', actor())).toEqual(['read'])
  })

  it('compare roles in any case', () => {
    expect(allowed(byRoles(section('.*', 'BOSS')), 'a', actor('Boss'))).toEqual(OPERATIONS)
  })

  it('give an administrator nothing', () => {
    expect(allowed(byRoles(section('.*', 'member')), 'a', actor('admin'))).toEqual([])
  })

  it('deny what no section matches, and names that no property can have', () => {
    expect(allowed(byRoles(section('^x_', '@')), 'y', actor('member'))).toEqual([])
    expect(allowed(byRoles(section('.*', '@')), 'a'.repeat(256), actor('member'))).toEqual([])
    expect(allowed(byRoles(section('.*', '@')), 'a'.repeat(255), actor('member'))).toEqual(OPERATIONS)
  })

  it('allow everything without a section', () => {
    expect(allowed(byRoles('# nothing\n'), 'a', actor())).toEqual(OPERATIONS)
  })

  it('S-67: never change who asks', () => {
    const asking = Object.freeze({ ...actor(), roles: Object.freeze(['Member']) })
    expect(allowed(byRoles(section('.*', 'member')), 'a', asking)).toEqual(OPERATIONS)
    expect(asking.roles).toEqual(['Member'])
  })
})

describe('protections by policies', () => {
  it('ask the one rule that is named', () => {
    const asked: [string, Actor][] = []
    const own = { create: '@', read: 'seeing', update: '!', delete: '' }
    const protections = readProtections(section('.*', '', own), 'policies', (rule, who) => {
      asked.push([rule, who])
      return rule === 'seeing'
    })
    const who = actor('member')
    expect(allowed(protections, 'a', who)).toEqual(['create', 'read'])
    expect(asked).toEqual([['seeing', who]])
  })

  it('ask for each decision anew, as the policy may change', () => {
    let answer = true
    const protections = readProtections(section('.*', 'rule'), 'policies', () => answer)
    expect(protections.may('read', 'a', actor())).toBe(true)
    answer = false
    expect(protections.may('read', 'a', actor())).toBe(false)
  })
})

describe('a refused file of protections', () => {
  it.each<[RuleFormat, string, string]>([
    ['roles', '[x]\ncreate = a\nread = a\nupdate = a', 'line 1: [x] expected the key delete'],
    ['roles', section('x', '@, !'), 'line 2: [x] create: expected @ (everybody) or ! (nobody), got both'],
    ['roles', section('x', '@', { read: '!,a,@' }), 'line 3: [x] read: expected @ (everybody) or ! (nobody), got both'],
    ['roles', section('x(', '@'), 'line 1: [x(] expected a regular expression: a "(" without its ")"'],
    ['roles', section('x', '@') + section('x', '!'), 'line 6: [x] is there since line 1'],
    [
      'roles',
      `${section('x', '@')}list = @`,
      'line 6: [x] list: unknown key; known here: create, read, update, delete',
    ],
    ['roles', section('DEFAULT', '@'), 'line 1: [DEFAULT] has no meaning here'],
    ['roles', 'x', 'line 1: expected [pattern] or key = value'],
    ['policies', section('x', 'a,b'), 'line 2: [x] create: expected the name of one rule of the policy, got "a,b"'],
    ['policies', section('x', '@ or b'), 'expected the name of one rule of the policy'],
    ['policies', section('x', '@,!'), 'expected the name of one rule of the policy'],
  ])('by %s: %j', (format, text, message) => {
    expect(() => readProtections(text, format, never)).toThrow(ProtectionError)
    expect(() => readProtections(text, format, never)).toThrow(message)
  })

  it('has more sections than anybody would write', () => {
    const text = Array.from({ length: 201 }, (_, at) => section(`x${at}`, '@')).join('')
    expect(() => byRoles(text)).toThrow('expected at most 200 sections, got 201')
  })
})

describe('the protections of the configuration', () => {
  function configured(env: Record<string, string>): PropertyProtections | undefined {
    return openProtections(loadConfig(undefined, env).config.protections, () => true)
  }

  function file(text: string): string {
    const directory = mkdtempSync(join(tmpdir(), 'mullion-protections-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const path = join(directory, 'protections.conf')
    writeFileSync(path, text)
    return path
  }

  it('are none without a file', () => {
    expect(configured({})).toBeUndefined()
  })

  it('come from the file, in the format that is named', () => {
    const MULLION_PROTECTIONS_FILE = file(section('.*', 'rule'))
    expect(configured({ MULLION_PROTECTIONS_FILE })?.may('read', 'a', actor())).toBe(false)
    const policies = configured({ MULLION_PROTECTIONS_FILE, MULLION_PROTECTIONS_RULE_FORMAT: 'policies' })
    expect(policies?.may('read', 'a', actor())).toBe(true)
  })

  it('are refused with the file and what was expected', () => {
    const wrong = file('[x]')
    expect(() => configured({ MULLION_PROTECTIONS_FILE: wrong })).toThrow(
      `${wrong}: line 1: [x] expected the key create`,
    )
    expect(() => configured({ MULLION_PROTECTIONS_FILE: '/nonexistent/x' })).toThrow('/nonexistent/x: no such file')
    expect(() => configured({ MULLION_PROTECTIONS_RULE_FORMAT: 'rules' })).toThrow('expected one of "roles"|"policies"')
  })
})
