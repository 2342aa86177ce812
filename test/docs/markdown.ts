export interface CodeBlock {
  readonly language: string
  readonly text: string
  /** Of its first line of code, counted from 1. */
  readonly line: number
  /** The rest of the fence line after the language. */
  readonly note: string
}

/** The fenced code blocks of a Markdown document, in order. */
export function codeBlocks(document: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  for (const match of document.matchAll(/^```(\w+)[ \t]*(.*)\n([\s\S]*?)^```$/gm)) {
    const [, language = '', note = '', text = ''] = match
    const line = document.slice(0, match.index).split('\n').length + 1
    blocks.push({ language, note, text, line })
  }
  return blocks
}
