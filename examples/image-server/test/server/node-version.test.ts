import { describe, expect, it } from 'vitest'
import { nodeProblem } from '../../src/server/node-version.ts'

describe('the version of Node', () => {
  it.each(['22.13.0', '22.23.3', '24.0.0', '26.10.0'])('%s will do', (version) => {
    expect(nodeProblem(version)).toBeUndefined()
  })

  it.each(['18.20.8', '20.20.2', '22.12.9', '0.12.18'])(
    '%s is refused with both versions in the message',
    (version) => {
      expect(nodeProblem(version)).toBe(`mullion-image-server needs Node 22.13 or newer; this is Node ${version}`)
    },
  )
})
