import assert from 'node:assert/strict'
import { type Harness, runCase, type StoreCase, storeCases } from 'mullion/testkit'
import { memory } from 'mullion'
import { describe, expect, it } from 'vitest'
import { brokenCopies } from './broken-copies.ts'
import { brokenListings } from './broken-listings.ts'
import { brokenReads } from './broken-reads.ts'
import { brokenWrites } from './broken-writes.ts'

function caseOf(title: string): StoreCase {
  const found = storeCases.find((each) => each.title === title)
  assert.ok(found, `no case is titled "${title}"`)
  return found
}

const sound: Harness = { name: 'memory', open: () => memory() }

describe('a store that', () => {
  for (const { name, caughtBy, because, transient = false, harness } of [
    ...brokenWrites,
    ...brokenReads,
    ...brokenCopies,
    ...brokenListings,
  ]) {
    it(`${name} fails "${caughtBy}"`, async () => {
      const storeCase = caseOf(caughtBy)
      await expect(runCase(storeCase, sound, { transient })).resolves.toBeUndefined()
      await expect(runCase(storeCase, harness(), { transient })).rejects.toThrow(because)
    })
  }
})

describe('a failing case', () => {
  it('says which promise was broken', async () => {
    const liar = brokenReads.find(({ name }) => name === 'lies about the size')
    assert.ok(liar)
    const storeCase = caseOf(liar.caughtBy)
    await expect(runCase(storeCase, liar.harness())).rejects.toThrow(`promise: ${storeCase.promise}`)
  })
})

describe('the cases', () => {
  it('have titles of their own', () => {
    expect(new Set(storeCases.map(({ title }) => title)).size).toBe(storeCases.length)
  })
})
