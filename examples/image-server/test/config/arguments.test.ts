import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../src/config/arguments.ts'

describe('the command line', () => {
  it('serves without arguments', () => {
    expect(parseCommand([], {})).toEqual({ kind: 'serve', file: undefined })
  })

  it('takes the file from --config, else from MULLION_CONFIG', () => {
    expect(parseCommand(['--config', 'a.toml'], { MULLION_CONFIG: 'b.toml' })).toEqual({
      kind: 'serve',
      file: 'a.toml',
    })
    expect(parseCommand(['-c', 'a.toml'], {})).toEqual({ kind: 'serve', file: 'a.toml' })
    expect(parseCommand([], { MULLION_CONFIG: 'b.toml' })).toEqual({ kind: 'serve', file: 'b.toml' })
    expect(parseCommand([], { MULLION_CONFIG: '' })).toEqual({ kind: 'serve', file: undefined })
  })

  it('knows --check-config, --help and --version', () => {
    expect(parseCommand(['--check-config', '--config=a.toml'], {})).toEqual({ kind: 'check', file: 'a.toml' })
    expect(parseCommand(['--help'], {})).toEqual({ kind: 'help' })
    expect(parseCommand(['-v'], {})).toEqual({ kind: 'version' })
  })

  it.each([
    [['--colour'], "unknown option '--colour'"],
    [['start'], "unexpected argument 'start'"],
    [['--config'], "option '-c, --config <value>' argument missing"],
    [['--config='], '--config: expected the path of a file'],
  ])('calls %j misuse and says why', (args, message) => {
    expect(parseCommand(args, {})).toEqual({ kind: 'misuse', message })
  })
})
