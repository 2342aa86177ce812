import type { Service } from '../service.ts'
import { file } from './file.ts'
import { gcs } from './gcs.ts'
import { http } from './http.ts'
import { rbd } from './rbd.ts'
import { s3OnCeph, s3OnSwift } from './s3.ts'
import { sftp } from './sftp.ts'
import { swiftObject, swiftSegments } from './swift.ts'

export const SERVICES: readonly Service[] = [
  file,
  s3OnCeph,
  s3OnSwift,
  swiftObject,
  swiftSegments,
  gcs,
  sftp,
  rbd,
  http,
]
