/**
 * Markdown as React elements. Nothing is ever set as HTML: tags in a model's answer stay visible text, images
 * become their description and links open only http, https and mailto addresses.
 */

import type { MarkedToken, Token, Tokens } from 'marked'
import { createElement, memo, useRef, type ReactNode } from 'react'
import { EMPTY, parse } from './blocks'

export function Markdown({ text }: { text: string }) {
  const parsed = useRef(EMPTY)
  const source = text.replaceAll('\r\n', '\n')
  if (parsed.current.text !== source) parsed.current = parse(parsed.current, source)
  return (
    <div className="prose">
      {parsed.current.blocks.map((block, index) => (
        <Block key={index} token={block} />
      ))}
    </div>
  )
}

const Block = memo(({ token }: { token: MarkedToken }) => render(token))

function children(tokens: readonly Token[] | undefined): ReactNode[] {
  return (tokens ?? []).map((token, index) => <Block key={index} token={token as MarkedToken} />)
}

function render(token: MarkedToken): ReactNode {
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'hr':
      return <hr />
    case 'br':
      return <br />
    case 'heading':
      // The page's own headings are h1 and h2.
      return createElement(`h${Math.min(token.depth + 2, 6)}`, null, children(token.tokens))
    case 'paragraph':
      return <p>{children(token.tokens)}</p>
    case 'blockquote':
      return <blockquote>{children(token.tokens)}</blockquote>
    case 'list':
      return token.ordered ? (
        <ol start={token.start === '' ? 1 : token.start}>{children(token.items)}</ol>
      ) : (
        <ul>{children(token.items)}</ul>
      )
    case 'list_item':
      return <li>{children(token.tokens)}</li>
    case 'checkbox':
      return <input type="checkbox" checked={token.checked} readOnly disabled aria-label="Task" />
    case 'table':
      return <Table token={token} />
    case 'code':
      return (
        <pre tabIndex={0}>
          <code>{token.text}</code>
        </pre>
      )
    case 'strong':
      return <strong>{children(token.tokens)}</strong>
    case 'em':
      return <em>{children(token.tokens)}</em>
    case 'del':
      return <del>{children(token.tokens)}</del>
    case 'codespan':
      return <code>{token.text}</code>
    case 'link':
      return /^(https?:|mailto:)/i.test(token.href) ? (
        <a href={token.href} target="_blank" rel="noopener noreferrer">
          {children(token.tokens)}
        </a>
      ) : (
        <>{children(token.tokens)}</>
      )
    case 'image':
      return token.text
    case 'text':
      return 'tokens' in token && token.tokens ? <>{children(token.tokens)}</> : token.text
    case 'escape':
    case 'html':
      return token.text
  }
}

const NUMBER = /^[-+−(]?\s*[$€£¥]?\s*[-+−]?\d[\d.,\s]*\s*(%|bp|bps|bn|m|mn|million|billion)?\)?$/i

function Table({ token }: { token: Tokens.Table }) {
  const alignments = token.align.map((align, column) => {
    if (align) return align
    const cells = token.rows.map((row) => row[column]?.text.trim() ?? '').filter((cell) => cell !== '')
    return cells.length > 0 && cells.every((cell) => NUMBER.test(cell) || /^[-–—]$|^n\/?a$/i.test(cell))
      ? 'right'
      : null
  })
  const className = (column: number) => alignments[column] ?? undefined
  return (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {token.header.map((cell, column) => (
              <th key={column} scope="col" className={className(column)}>
                {children(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column} className={className(column)}>
                  {children(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
