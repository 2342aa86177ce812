import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyType, knownHost } from '../src/known-hosts.ts'

/** Something in the wire format of a key; `fill` tells keys of one type apart. */
function key(fill: number, type = 'ssh-ed25519'): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(type.length)
  return Buffer.concat([length, Buffer.from(type), Buffer.alloc(36, fill)])
}

const line = (hosts: string, each: Buffer, marker = ''): string =>
  `${marker}${hosts} ${keyType(each)} ${each.toString('base64')} a comment\n`

function hashed(name: string): string {
  const salt = Buffer.alloc(20, 7)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}

const keysOf = (text: string, host: string, port = 22): readonly Buffer[] => knownHost(text, host, port).keys

describe('a known_hosts file', () => {
  it.each([
    ['images.example', 'images.example', 22],
    ['images.example', 'IMAGES.example', 22],
    ['a,images.example,192.0.2.7', '192.0.2.7', 22],
    ['*.example', 'images.example', 22],
    ['im?ges.*', 'images.example', 22],
    ['*', 'images.example', 22],
    ['[images.example]:2222', 'images.example', 2222],
    ['[*.example]:2222', 'images.example', 2222],
    ['fd00::1', 'fd00::1', 22],
    ['[fd00::1]:2222', 'fd00::1', 2222],
    ['*.example,!other.example', 'images.example', 22],
    [hashed('images.example'), 'images.example', 22],
    [hashed('[images.example]:2222'), 'images.example', 2222],
  ])('knows by %s the host %s, port %i', (hosts, host, port) => {
    expect(keysOf(line(hosts, key(1)), host, port)).toEqual([key(1)])
  })

  it.each([
    ['images.example', 'images.example', 2222],
    ['[images.example]:2222', 'images.example', 22],
    ['images.example', 'images.example.org', 22],
    ['*.example', 'example', 22],
    ['im?ges.example', 'imges.example', 22],
    ['*.example,!images.example', 'images.example', 22],
    ['!images.example,*', 'images.example', 22],
    ['!images.example', 'other.example', 22],
    [hashed('images.example'), 'other.example', 22],
    [hashed('images.example'), 'images.example', 2222],
    ['|2|aaaa|bbbb', 'images.example', 22],
  ])('does not know by %s the host %s, port %i', (hosts, host, port) => {
    expect(keysOf(line(hosts, key(1)), host, port)).toEqual([])
  })

  it('gives all keys of a host, revoked ones apart, and says when an authority is ignored', () => {
    const text = [
      line('images.example', key(1)),
      line('*.example', key(2, 'ssh-rsa')),
      line('images.example', key(3), '@revoked '),
      line('*.example', key(4), '@cert-authority '),
    ].join('')
    expect(knownHost(text, 'images.example', 22)).toEqual({
      keys: [key(1), key(2, 'ssh-rsa')],
      revoked: [key(3)],
      hasAuthority: true,
    })
    expect(knownHost(line('*', key(1)), 'images.example', 22).hasAuthority).toBe(false)
  })

  it('passes over comments, empty lines, and what is no key', () => {
    const good = key(1)
    const text = [
      '',
      '# images.example ssh-ed25519 AAAA',
      'images.example',
      'images.example ssh-ed25519',
      'images.example ssh-ed25519 !!!!',
      `images.example ssh-rsa ${good.toString('base64')}`, // another type than the key itself says
      `  images.example\t${keyType(good)}   ${good.toString('base64')}\r`,
    ].join('\n')
    expect(keysOf(text, 'images.example')).toEqual([good])
  })

  it('compares patterns in reasonable time, and as a regular expression would', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 12 })
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(pattern, name, (each, host) => {
        const expression = new RegExp(`^${each.replaceAll('*', '.*').replaceAll('?', '.')}$`)
        expect(keysOf(line(each, key(1)), host).length > 0).toBe(expression.test(host))
      }),
    )
    const evil = line(`${'*a'.repeat(2000)}b`, key(1))
    const begin = performance.now()
    expect(keysOf(evil, 'a'.repeat(250))).toEqual([])
    expect(performance.now() - begin).toBeLessThan(1000)
  })
})
