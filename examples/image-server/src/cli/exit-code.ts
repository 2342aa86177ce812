/** How a command ends. A signal ends it with 128 and its number, as shells expect. */
export const EXIT = { fine: 0, failed: 1, misuse: 2, found: 3 } as const

/** The command line asks for something that cannot be: shown as one line, with exit code 2. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}
