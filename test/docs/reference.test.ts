import { relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generatedPages } from './pages.ts'
import { stateDiagram, transitionTable, withGenerated } from './reference.ts'

describe('the reference pages', async () => {
  it.each(await generatedPages())(
    'say what the sources say: $path (npm run docs:generate)',
    ({ path, current, expected }) => {
      expect(current, relative(process.cwd(), path)).toBe(expected)
    },
  )

  it('keep the text around a generated part', () => {
    const before = 'a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb'
    expect(withGenerated(before, 'x', 'new')).toBe('a\n<!-- generated: x -->\n\nnew\n\n<!-- end: x -->\nb')
    expect(() => withGenerated(before, 'y', 'new')).toThrow('no markers for y')
  })

  it('draw one arrow per pair of statuses, with every event that takes it', () => {
    const transitions = { open: { queued: 'active' }, force: { queued: 'active', active: 'active' } }
    expect(stateDiagram(transitions)).toContain('  queued --> active: open, force\n  active --> active: force')
    expect(transitionTable(transitions)).toContain('| `force` | queued, active → active |')
  })
})
