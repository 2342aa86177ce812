import { describe, it } from 'node:test'
import { memory } from 'mullion'
import { testStore } from 'mullion/testkit'
import { brokenReads } from './broken-reads.ts'

const [, , name] = process.argv
const broken = brokenReads.find((store) => store.name === name)
testStore({ describe, it }, broken?.harness() ?? { name: 'memory', open: () => memory() })
