import { describeTable } from './table.ts'

describeTable('Images v1 over records in memory')
