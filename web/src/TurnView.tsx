/** One turn: the question, the answer to it, and what can be done with both. */

import { memo, useState } from 'react'
import { isSendKey } from './Composer'
import { copyText } from './copy'
import { Icon } from './icons'
import { Markdown } from './Markdown'
import { Notice } from './Notice'
import { isRunning, type Turn } from './useConversation'

interface Props {
  turn: Turn
  isLast: boolean
  /** Asks the last question again, as it is or changed. */
  onAskAgain: (question: string) => void
}

export const TurnView = memo(({ turn, isLast, onAskAgain }: Props) => {
  const [editing, setEditing] = useState(false)
  const running = isRunning(turn)
  const again = () => onAskAgain(turn.question)
  return (
    <div className="turn">
      {editing ? (
        <Editor
          question={turn.question}
          onCancel={() => setEditing(false)}
          onSend={(question) => {
            setEditing(false)
            onAskAgain(question)
          }}
        />
      ) : (
        <article className="question">
          <h2 className="hidden">You asked</h2>
          <div className="question-text">{turn.question}</div>
          {isLast && !running && (
            <button
              type="button"
              className="icon-button"
              aria-label="Edit question"
              title="Edit"
              onClick={() => setEditing(true)}
            >
              <Icon name="pencil" />
            </button>
          )}
        </article>
      )}
      <article className="answer" aria-busy={running}>
        <h2 className="hidden">Answer</h2>
        <div aria-live="polite">
          {turn.status === 'waiting' && (
            <p className="waiting">
              <span className="hidden">The model is reading the question</span>
              <i />
              <i />
              <i />
            </p>
          )}
          {turn.answer !== '' && <Markdown text={turn.answer} />}
        </div>
        {turn.problem && isLast && <Notice problem={turn.problem} onRetry={again} />}
        {!running && (
          <footer>
            {turn.answer !== '' && <CopyButton text={turn.answer} />}
            {isLast && !turn.problem && (
              <button
                type="button"
                className="icon-button"
                aria-label="Retry"
                title="Retry"
                onClick={again}
              >
                <Icon name="retry" />
              </button>
            )}
            <Facts turn={turn} />
          </footer>
        )}
      </article>
    </div>
  )
})

function Editor({
  question,
  onCancel,
  onSend,
}: {
  question: string
  onCancel: () => void
  onSend: (text: string) => void
}) {
  const [text, setText] = useState(question)
  const send = () => text.trim() !== '' && onSend(text)
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <label htmlFor="edited" className="hidden">
        Edited question
      </label>
      <textarea
        id="edited"
        autoFocus
        rows={2}
        value={text}
        onFocus={(event) => event.target.setSelectionRange(text.length, text.length)}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onCancel()
          if (isSendKey(event)) {
            event.preventDefault()
            send()
          }
        }}
      />
      <div>
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" className="button primary">
          Send again
        </button>
      </div>
    </form>
  )
}

function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false)
  async function copy(): Promise<void> {
    await copyText(text)
    setCopied(true)
    window.setTimeout(() => setCopied(false), 1600)
  }
  const label = copied ? 'Copied' : 'Copy answer'
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => void copy()}
    >
      <Icon name={copied ? 'check' : 'copy'} />
    </button>
  )
}

function Facts({ turn }: { turn: Turn }) {
  const { usage, timing } = turn
  const facts: string[] = []
  if (turn.status === 'stopped') facts.push('stopped')
  if (turn.finishReason === 'length') facts.push('cut at the length limit')
  if (turn.status === 'done' && turn.answer === '') facts.push('the model said nothing')
  if (usage) {
    facts.push(
      `${count(usage.completion_tokens)} after a prompt of ${usage.prompt_tokens.toLocaleString('en')}`,
    )
    // The first token's time is the reading of the prompt, so the rate counts the tokens after it.
    if (timing && timing.rest > 0 && usage.completion_tokens > 1)
      facts.push(`${rate((usage.completion_tokens - 1) / timing.rest)} tokens/s`)
  }
  return facts.length > 0 ? <p className="usage">{facts.join(' · ')}</p> : null
}

function count(tokens: number): string {
  return `${tokens.toLocaleString('en')} ${tokens === 1 ? 'token' : 'tokens'}`
}

function rate(perSecond: number): string {
  return perSecond >= 10 ? Math.round(perSecond).toLocaleString('en') : perSecond.toFixed(1)
}
