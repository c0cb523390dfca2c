import type { RefObject } from 'react'
import { Icon } from './icons'

interface Props {
  input: RefObject<HTMLTextAreaElement | null>
  draft: string
  ready: boolean
  running: boolean
  onDraft: (draft: string) => void
  onSend: () => void
  onStop: () => void
}

export function Composer({ input, draft, ready, running, onDraft, onSend, onStop }: Props) {
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        onSend()
      }}
    >
      <label htmlFor="question" className="hidden">
        Your question
      </label>
      <textarea
        id="question"
        ref={input}
        rows={1}
        placeholder="Ask, or paste figures"
        enterKeyHint="send"
        value={draft}
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={(event) => {
          if (isSendKey(event)) {
            event.preventDefault()
            onSend()
          }
        }}
      />
      {running ? (
        <button
          type="button"
          key="stop"
          className="send"
          aria-label="Stop"
          title="Stop (Escape)"
          onClick={onStop}
        >
          <Icon name="stop" />
        </button>
      ) : (
        <button
          type="submit"
          key="send"
          className="send"
          aria-label="Send"
          title="Send (Enter)"
          disabled={!ready || draft.trim() === ''}
        >
          <Icon name="arrowUp" />
        </button>
      )}
    </form>
  )
}

/** Enter sends and Shift+Enter breaks the line; Enter that confirms an input method's choice does neither. */
export function isSendKey(event: React.KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing
}
