import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { createGuard, type GuardRules } from '../src/index.ts'

function refuses(uri: string, rules?: GuardRules): boolean {
  try {
    createGuard(rules).assertUri(uri)
    return false
  } catch (error) {
    if (!isMullionError(error, 'invalid_location')) throw error
    return true
  }
}

const BANNED = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[::2]',
  '[fe80::1]',
  '[fec0::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[ff02::1]',
  '[100::1]',
  '[2001:db8::1]',
  '[3fff::1]',
  '[2001:2::1]',
  '[2001:10::1]',
  '[5f00::1]',
  '[4000::1]',
  '[8000::1]',
  // IPv4 in disguise
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:a9fe:a9fe]',
  '[::ffff:8.8.8.8]',
  '[::127.0.0.1]',
  '[::8.8.8.8]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::8.8.8.8]',
  '[64:ff9b:1::a9fe:a9fe]',
  '[2002:7f00:1::]',
  '[2002:808:808::1]',
  '[2001:0:808:808::1]',
  '[2001::f7f7:f7f7]',
]

describe('guard', () => {
  it.each(BANNED)('refuses %s', (host) => {
    expect(refuses(`http://${host}/`)).toBe(true)
    expect(refuses(`https://${host}:8443/x`)).toBe(true)
  })

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '169.253.1.1',
    '198.20.0.1',
    '[2606:4700::1111]',
    '[2a00:1450::1]',
  ])('accepts the public address %s', (host) => {
    expect(refuses(`http://${host}/`)).toBe(false)
  })

  it.each(['localhost', 'LOCALHOST', 'a.localhost', 'unix'])('refuses the name %s without looking it up', (host) => {
    expect(refuses(`http://${host}/`)).toBe(true)
  })

  it('leaves other names to the moment of connecting', () => {
    expect(refuses('http://intranet/')).toBe(false)
    expect(refuses('http://127.0.0.1.nip.io/')).toBe(false)
  })

  it('refuses with one text, whatever the reason', () => {
    const texts = [
      'http://10.0.0.1/',
      'http://localhost/',
      'http://8.8.8.8:81/',
      'https://8.8.8.8/',
      'http://9.9.9.9/',
    ].map((uri) => {
      try {
        createGuard({ ports: [80], schemes: ['http'], deny: ['9.9.9.9'] }).assertUri(uri)
        return 'accepted'
      } catch (error) {
        return JSON.stringify([String(error), error])
      }
    })
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).toMatch(/not allowed/)
  })

  it('refuses every IPv4 address within every disguise', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    const hex = (high: number, low: number): string => ((high << 8) | low).toString(16)
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const tail = `${hex(a, b)}:${hex(c, d)}`
        const disguises = [
          `::ffff:${tail}`,
          `::${tail}`,
          `64:ff9b::${tail}`,
          `64:ff9b:1::${tail}`,
          `2002:${tail}::1`,
          `::ffff:0:${tail}`,
        ]
        return disguises.every((address) => refuses(`http://[${address}]/`))
      }),
    )
  })

  it('accepts no text that names an address in another notation', () => {
    const number = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    const notation = fc.constantFrom(
      (n: number) => `0x${n.toString(16)}`,
      (n: number) => `0${n.toString(8)}`,
      (n: number) => `${n}`,
      (n: number) => `${n >>> 24}.${n & 0xffffff}`,
      (n: number) => `${n >>> 24}.${(n >>> 16) & 255}.${n & 0xffff}`,
      (n: number) => `0${(n >>> 24).toString(8)}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`,
      (n: number) => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}.`,
    )
    fc.assert(fc.property(number, notation, (n, write) => refuses(`http://${write(n)}/`, { allow: ['0.0.0.0/0'] })))
  })
})

describe('the list in the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const rows = readme.split('| refused unless allowed | |')[1]?.split('\n\n')[0] ?? ''
  const blocks = [...rows.matchAll(/`([\da-f:.]+)(?:\/(\d+))?`/g)].map(([, address = '', bits]) => {
    const family = isIP(address) === 4 ? ('ipv4' as const) : ('ipv6' as const)
    return { address, family, bits: Number(bits ?? (family === 'ipv4' ? 32 : 128)) }
  })
  // apart: an IPv4 address also matches a block of its mapped form
  const listed = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const { address, bits, family } of blocks) {
    if (address !== '2000::') listed[family].addSubnet(address, bits, family)
  }

  const byte = fc.integer({ min: 0, max: 255 })
  const near = fc.constantFrom(...blocks)
  /** Any address, or one that shares its first bytes with a listed one. */
  const bytesNear = (family: 'ipv4' | 'ipv6', size: number) =>
    fc
      .tuple(near, fc.integer({ min: 0, max: size }), fc.array(byte, { minLength: size, maxLength: size }))
      .map(([block, kept, random]) => {
        const base = block.family === family ? toBytes(block.address) : random
        return [...base.slice(0, kept), ...random.slice(kept)]
      })

  it('has blocks', () => {
    expect(blocks.length).toBeGreaterThan(45)
  })

  it('is exactly what is refused of IPv4', () => {
    fc.assert(
      fc.property(bytesNear('ipv4', 4), (bytes) => {
        const address = bytes.join('.')
        expect(refuses(`http://${address}/`), address).toBe(listed.ipv4.check(address, 'ipv4'))
      }),
      { numRuns: 3000 },
    )
  })

  it('is exactly what is refused of IPv6 within 2000::/3, and outside everything is', () => {
    fc.assert(
      fc.property(bytesNear('ipv6', 16), (bytes) => {
        const address = Array.from({ length: 8 }, (_, index) =>
          (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
        ).join(':')
        const isOutside = (bytes[0] ?? 0) >> 5 !== 1
        expect(refuses(`http://[${address}]/`), address).toBe(isOutside || listed.ipv6.check(address, 'ipv6'))
      }),
      { numRuns: 3000 },
    )
  })
})

function toBytes(address: string): readonly number[] {
  if (isIP(address) === 4) return address.split('.').map(Number)
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string): readonly number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [first, last] = [words(head), words(tail)]
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
  return all.flatMap((word) => [word >> 8, word & 255])
}

describe('guard rules', () => {
  const cases: readonly [string, GuardRules, string, boolean][] = [
    ['a block', { allow: ['10.0.0.0/8'] }, 'http://10.1.2.3/', true],
    ['another block', { allow: ['10.0.0.0/8'] }, 'http://11.1.2.3:80/', true],
    ['what lies outside the block', { allow: ['10.0.0.0/8'] }, 'http://172.16.0.1/', false],
    ['an address', { allow: ['127.0.0.1'] }, 'http://127.0.0.1:8080/', true],
    ['the next address', { allow: ['127.0.0.1'] }, 'http://127.0.0.2:8080/', false],
    ['an address on its port', { allow: ['127.0.0.1:8080'] }, 'http://127.0.0.1:8080/', true],
    ['an address on another port', { allow: ['127.0.0.1:8080'] }, 'http://127.0.0.1:8081/', false],
    ['the default port', { allow: ['127.0.0.1:443'] }, 'https://127.0.0.1/', true],
    ['IPv6 on its port', { allow: ['[::1]:80'] }, 'http://[::1]/', true],
    ['an IPv6 block', { allow: ['fd00::/8'] }, 'http://[fd12::1]/', true],
    ['a name', { allow: ['localhost'] }, 'http://localhost/', true],
    ['a name in capitals', { allow: ['LocalHost:80'] }, 'http://LOCALHOST/', true],
    ['a name on another port', { allow: ['localhost:80'] }, 'http://localhost:81/', false],
    ['localhost by its address', { allow: ['127.0.0.0/8'] }, 'http://localhost/', true],
    ['the mapped form of an allowed address', { allow: ['10.0.0.0/8'] }, 'http://[::ffff:10.0.0.1]/', true],
    ['a mapped address by an IPv6 block alone', { allow: ['::/0'] }, 'http://[::ffff:10.0.0.1]/', false],
    ['NAT64 to a public address', { allow: ['64:ff9b::/96'] }, 'http://[64:ff9b::8.8.8.8]/', true],
    ['NAT64 to a private address', { allow: ['64:ff9b::/96'] }, 'http://[64:ff9b::10.0.0.1]/', false],
    ['6to4 to a private address', { allow: ['2002::/16'] }, 'http://[2002:a00:1::1]/', false],
    ['Teredo of a public client', { allow: ['2001::/32'] }, 'http://[2001:0:808:808::f7f7:f7f7]/', true],
    ['Teredo of a private client', { allow: ['2001::/32'] }, 'http://[2001:0:808:808::f5ff:fffe]/', false],
    ['what is denied within the block', { allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] }, 'http://10.0.0.1/', false],
    ['a denied public address', { deny: ['8.8.8.0/24'] }, 'http://8.8.8.8/', false],
    ['a denied name', { deny: ['example.org'] }, 'http://EXAMPLE.org/', false],
    ['a listed port', { ports: [443] }, 'https://8.8.8.8/', true],
    ['another port', { ports: [443] }, 'http://8.8.8.8/', false],
    ['another scheme', { schemes: ['https'] }, 'http://8.8.8.8/', false],
  ]
  it.each(cases)('judges %s: %o, %s', (_, rules, uri, accepted) => {
    expect(refuses(uri, rules)).toBe(!accepted)
  })

  it.each([
    '',
    '*',
    '10.0.0.0/33',
    '10.0.0/8',
    '127.1',
    '0x7f.1',
    '10.0.0.1:0',
    '10.0.0.1:99999',
    '[::1',
    'a b',
    'fe80::1%eth0',
    '2130706433',
    'http://x',
    '10.0.0.0/8/8',
    '::1/x',
  ])('refuses the pattern %o', (pattern) => {
    expect(() => createGuard({ allow: [pattern] })).toThrow(/allow: expected/)
  })

  it('judges an address by the name it was resolved from', () => {
    const guard = createGuard({ allow: ['mirror.example:8080'], deny: ['169.254.0.0/16'] })
    expect(() => guard.assertAddress('10.0.0.1', 8080, 'mirror.example')).not.toThrow()
    expect(() => guard.assertAddress('10.0.0.1', 8081, 'mirror.example')).toThrow()
    expect(() => guard.assertAddress('10.0.0.1', 8080, 'other.example')).toThrow()
    expect(() => guard.assertAddress('169.254.169.254', 8080, 'mirror.example')).toThrow()
    expect(() => guard.assertAddress('fe80::1%eth0', 8080, 'mirror.example')).toThrow()
    expect(() => guard.assertAddress('mirror.example', 8080, 'mirror.example')).toThrow()
  })
})
