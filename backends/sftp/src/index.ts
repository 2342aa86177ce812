export type { SftpConfig } from './config.ts'
export type { SftpLocation } from './location.ts'
export { sftp } from './sftp.ts'
export type { SftpStore } from './store.ts'
