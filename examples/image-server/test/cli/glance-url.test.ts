import { describe, expect, it } from 'vitest'
import { parseDatabaseUrl } from '../../src/cli/glance/url.ts'

const tlsOf = (scheme: string, query: string) => {
  const address = parseDatabaseUrl(`${scheme}://glance:hunter2@db.example/glance${query}`)
  return address.dialect === 'sqlite' ? 'none' : address.tls
}
const files = { ca: undefined, cert: undefined, key: undefined }

describe('the TLS of a database URL', () => {
  it.each([
    ['', undefined],
    ['?charset=utf8&plugin=dbcounter', undefined],
    ['?ssl_ca=/ca.pem', { ...files, ca: '/ca.pem', verify: 'identity' }],
    ['?charset=utf8&ssl_cert=/c&ssl_key=/k', { ...files, cert: '/c', key: '/k', verify: 'identity' }],
    ['?ssl_verify_cert=true', { ...files, verify: 'identity' }],
    ['?ssl_mode=VERIFY_IDENTITY', { ...files, verify: 'identity' }],
    ['?ssl_mode=verify_ca&ssl_ca=/ca.pem', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?ssl_ca=/ca.pem&ssl_check_hostname=false', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?ssl_ca=/ca.pem&ssl_verify_identity=0', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?ssl_mode=REQUIRED', { ...files, verify: 'nothing' }],
    ['?ssl_mode=REQUIRED&ssl_ca=/ca.pem', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?ssl_verify_cert=false', { ...files, verify: 'nothing' }],
    ['?ssl_mode=DISABLED', undefined],
    ['?ssl_disabled=true&ssl_ca=/ca.pem', undefined],
  ])('is for MySQL with %j: %o', (query, tls) => expect(tlsOf('mysql+pymysql', query)).toEqual(tls))

  it.each([
    ['', undefined],
    ['?client_encoding=utf8', undefined],
    ['?sslmode=disable', undefined],
    ['?sslmode=require', { ...files, verify: 'nothing' }],
    ['?sslmode=require&sslrootcert=/ca.pem', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?sslmode=verify-ca&sslrootcert=/ca.pem', { ...files, ca: '/ca.pem', verify: 'origin' }],
    ['?sslmode=verify-full&sslcert=/c&sslkey=/k', { ...files, cert: '/c', key: '/k', verify: 'identity' }],
    ['?sslrootcert=/ca.pem', { ...files, ca: '/ca.pem', verify: 'identity' }],
    ['?sslmode=verify-full&sslrootcert=system', { ...files, verify: 'identity' }],
  ])('is for PostgreSQL with %j: %o', (query, tls) => expect(tlsOf('postgresql+psycopg2', query)).toEqual(tls))

  it.each([
    ['mysql', '?ssl=true', 'unknown parameter ssl; known: ssl_ca'],
    ['mysql', '?sslmode=require', 'unknown parameter sslmode'],
    ['mysql', '?ssl_capath=/etc', 'unknown parameter ssl_capath'],
    ['mysql', '?ssl_mode=PREFERRED', 'ssl_mode: expected DISABLED'],
    ['mysql', '?ssl_mode=constructor', 'ssl_mode: expected DISABLED'],
    ['mysql', '?ssl_mode=REQUIRED&ssl_verify_cert=true', 'ssl_mode and ssl_verify_cert say the same'],
    ['mysql', '?ssl_verify_cert=perhaps', 'ssl_verify_cert: expected true or false'],
    ['postgresql', '?sslmode=prefer', 'sslmode: expected disable'],
    ['postgresql', '?sslmode=verify-full&sslmode=disable', 'sslmode is there twice'],
    ['postgresql', '?sslcrl=/crl', 'unknown parameter sslcrl'],
    ['postgresql', '?ssl_ca=/ca.pem', 'unknown parameter ssl_ca'],
    ['postgresql', '?hunter3!=x', 'unknown parameter with an odd name'],
  ])('is refused for %s%s', (scheme, query, message) => {
    expect(() => tlsOf(scheme, query)).toThrow(message)
    expect(() => tlsOf(scheme, query)).not.toThrow(/hunter/)
  })
})
