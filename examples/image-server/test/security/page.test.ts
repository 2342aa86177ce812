import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const here = new URL('.', import.meta.url)
const repository = new URL('../../../../', here)
const page = readFileSync(new URL('docs/security.md', repository), 'utf8')
const tests = readdirSync(here)
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => [name, readFileSync(new URL(name, here), 'utf8')] as const)

const advisories = (text: string): readonly string[] => text.match(/CVE-\d{4}-\d+|OSSA-\d{4}-\d+|OSSN-\d{4}/g) ?? []

describe('docs/security.md', () => {
  it('names files that are there', () => {
    const links = Array.from(page.matchAll(/\]\(\.\.\/([^)#]+)/g), ([, path = '']) => path)
    expect(links.length).toBeGreaterThan(20)
    expect(links.filter((path) => !existsSync(new URL(path, repository)))).toEqual([])
  })

  it('has every advisory of these tests, in a row that leads to them', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('|'))
    const missing = tests.flatMap(([name, text]) =>
      advisories(text)
        .filter((advisory) => !rows.some((row) => row.includes(advisory) && row.includes(`security/${name}`)))
        .map((advisory) => `${advisory} in ${name}`),
    )
    expect(missing).toEqual([])
  })
})
