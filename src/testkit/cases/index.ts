import type { StoreCase } from '../store-case.ts'
import { abortCases } from './abort.ts'
import { concurrencyCases } from './concurrency.ts'
import { copyCases } from './copy.ts'
import { failureCases } from './failure.ts'
import { lifecycleCases } from './lifecycle.ts'
import { listCases } from './list.ts'
import { locationCases } from './location.ts'
import { readCases } from './read.ts'
import { removeCases } from './remove.ts'
import { unitCases } from './units.ts'
import { writeCases } from './write.ts'

/** Every promise of a store, one case each. */
export const storeCases: readonly StoreCase[] = [
  ...writeCases,
  ...unitCases,
  ...failureCases,
  ...readCases,
  ...removeCases,
  ...copyCases,
  ...listCases,
  ...locationCases,
  ...abortCases,
  ...concurrencyCases,
  ...lifecycleCases,
]
