/** What went wrong, in plain words, with the way on. */

import { useState } from 'react'
import { saveKey, type ProblemKind } from './api'

const SENTENCES: Record<ProblemKind, string> = {
  unreachable:
    'The server cannot be reached. It may have been stopped: start it with “mintage serve”, then try again.',
  key: 'This server asks for an API key.',
  too_long: 'This is longer than the model can read at once. Shorten the question, or start a new chat.',
  busy: 'The server is busy with other answers. Try again in a moment.',
  refused: 'The server did not accept this request.',
  failed: 'The server failed while answering.',
  cut_off: 'The connection was lost before the answer was complete.',
}

interface Props {
  problem: { kind: ProblemKind; detail: string }
  onRetry: () => void
}

export function Notice({ problem, onRetry }: Props) {
  return (
    <div className="notice" role="alert">
      <p>{SENTENCES[problem.kind]}</p>
      {problem.detail && problem.kind !== 'key' && <p className="detail">{problem.detail}</p>}
      {problem.kind === 'key' ? (
        <KeyForm onSaved={onRetry} />
      ) : (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

function KeyForm({ onSaved }: { onSaved: () => void }) {
  const [key, setKey] = useState('')
  function submit(event: React.FormEvent): void {
    event.preventDefault()
    if (key.trim() === '') return
    saveKey(key.trim())
    onSaved()
  }
  return (
    <form className="key" onSubmit={submit}>
      <label htmlFor="key">API key</label>
      <input
        id="key"
        type="password"
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={key}
        onChange={(event) => setKey(event.target.value)}
      />
      <button type="submit" className="button">
        Use this key
      </button>
      <p className="detail">It is kept in this tab until you close it, and sent to this server only.</p>
    </form>
  )
}
