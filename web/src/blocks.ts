/** Splits a growing Markdown text into blocks, reading only its last block anew when text is appended. */

import { lexer, type MarkedToken } from 'marked'

export interface Parsed {
  text: string
  blocks: MarkedToken[]
  /** How many blocks, and how many characters before the rest, can no longer change. */
  settledBlocks: number
  settledLength: number
}

export const EMPTY: Parsed = { text: '', blocks: [], settledBlocks: 0, settledLength: 0 }

/** The blocks of `text`; settled blocks of `previous` are kept as they are when `text` continues its text. */
export function parse(previous: Parsed, text: string): Parsed {
  const base = text.startsWith(previous.text) ? previous : EMPTY
  const fresh = lexer(text.slice(base.settledLength), { gfm: true, breaks: true }) as MarkedToken[]
  const blocks = [...base.blocks.slice(0, base.settledBlocks), ...fresh]
  // Appended text can change the last block (and join it over blank lines, as in a list), but none before it.
  // Only links by reference would need the whole text: they stay text when their address is in another block.
  const lastBlock = blocks.findLastIndex((block) => block.type !== 'space')
  const settledBlocks = Math.max(lastBlock, base.settledBlocks)
  const settledLength =
    base.settledLength +
    blocks.slice(base.settledBlocks, settledBlocks).reduce((length, block) => length + block.raw.length, 0)
  return { text, blocks, settledBlocks, settledLength }
}
