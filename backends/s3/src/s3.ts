import { defineStore, type StoreSpec } from 'mullion'
import { type S3Config, s3Config, statedFacts } from './config.ts'
import { classify } from './errors.ts'
import { s3Location } from './location.ts'
import { openS3, type S3Store } from './store.ts'
import { isExclusive } from './vendor.ts'

/** Disk images in a bucket of S3 or a service that speaks its protocol: invisible until complete, never overwritten. */
export function s3(config: S3Config): StoreSpec<S3Store> {
  const facts = statedFacts(config)
  return defineStore({
    name: 's3',
    schemes: ['s3', 's3+http', 's3+https'],
    config: s3Config,
    location: s3Location(config.prefix ?? ''),
    capabilities: { range: true, atomicWrite: true, exclusiveWrite: isExclusive(facts), maxSize: facts.maxSize },
    classify,
    open: (settings, env) => openS3(settings, env),
  })(config)
}
