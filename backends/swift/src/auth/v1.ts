import { brokenAnswer, statusError } from '../errors.ts'
import type { IssueToken } from './token.ts'

/** TempAuth and radosgw: swift common/middleware/tempauth.py, ceph rgw/rgw_swift_auth.cc. */
export function v1Issuer(url: string, user: string, key: string, now: () => number): IssueToken {
  return async (ask) => {
    const answer = await ask({ method: 'GET', url, headers: { 'x-auth-user': user, 'x-auth-key': key } })
    const { status, header } = answer
    if (status !== 200 && status !== 204)
      throw statusError({ status, retryAfter: header('retry-after'), text: '' }, 'authentication')
    const value = header('x-auth-token')
    const storageUrl = header('x-storage-url')
    if (value === undefined || storageUrl === undefined)
      throw brokenAnswer('the auth service answered no token or no storage URL')
    const seconds = Number(header('x-auth-token-expires') ?? Number.NaN)
    return {
      value,
      expiresAt: Number.isFinite(seconds) ? now() + seconds * 1000 : undefined,
      catalog: [],
      storageUrl,
    }
  }
}
