import { useCallback, useEffect, useRef, useState } from 'react'
import { fetchModel, Problem, type ChatRequest, type Model } from './api'
import { CardPanel, cutoffDate } from './CardPanel'
import { Composer } from './Composer'
import { Icon } from './icons'
import { Notice } from './Notice'
import { INITIAL, samplingFields, systemMessages, type Sampling } from './sampling'
import { SamplingPanel } from './SamplingPanel'
import { readSession, writeSession } from './storage'
import { TurnView } from './TurnView'
import { messagesOf, useConversation, type Turn } from './useConversation'
import { useStickToEnd } from './useStickToEnd'
import { useTheme } from './useTheme'
import { Welcome } from './Welcome'

export function App() {
  const { model, problem, load } = useModel()
  const [panel, setPanel] = useState<'sampling' | 'card' | null>(null)
  const [draft, setDraft] = useState('')
  const [sampling, setSampling] = useState<Sampling>(() => readSession('sampling', INITIAL))
  const input = useRef<HTMLTextAreaElement>(null)
  useEffect(() => writeSession('sampling', sampling), [sampling])

  const context = model?.mintage?.context
  function compose(earlier: Turn[], question: string): ChatRequest {
    const remembered = sampling.earlierTurns ? messagesOf(earlier) : []
    return {
      model: model?.id ?? '',
      messages: [...systemMessages(sampling), ...remembered, { role: 'user', content: question }],
      ...samplingFields(sampling, context),
      ...(remembered.length > 0 && { trim: true }),
    }
  }
  const { turns, running, ask, stop, clear } = useConversation(compose)
  const { atEnd, goToEnd } = useStickToEnd(turns)
  useKeys(input, stop)

  function send(question: string, earlier: Turn[] = turns): void {
    void ask(earlier, question)
    input.current?.focus()
    goToEnd()
  }
  // One function for all renders, so that earlier turns are not drawn again while an answer streams.
  const latest = useRef((_question: string) => {})
  latest.current = (question) => send(question, turns.slice(0, -1))
  const askAgain = useCallback((question: string) => latest.current(question), [])

  function sendDraft(): void {
    if (!model || running || draft.trim() === '') return
    setDraft('')
    send(draft.trim())
  }

  return (
    <div className="page" data-panel={panel ?? 'none'}>
      <Header
        model={model}
        panel={panel}
        onPanel={(name) => setPanel(panel === name ? null : name)}
        onNewChat={() => {
          clear()
          input.current?.focus()
        }}
      />
      <main>
        {problem && <Notice problem={problem} onRetry={load} />}
        {model && turns.length === 0 && <Welcome model={model} onAsk={send} />}
        {turns.map((turn, index) => (
          <TurnView key={turn.id} turn={turn} isLast={index === turns.length - 1} onAskAgain={askAgain} />
        ))}
      </main>
      <section className="dock" aria-label="Ask the model">
        {!atEnd && (
          <button type="button" className="latest" onClick={goToEnd}>
            <Icon name="arrowDown" /> Latest
          </button>
        )}
        <Composer
          input={input}
          draft={draft}
          ready={model !== null}
          running={running}
          onDraft={setDraft}
          onSend={sendDraft}
          onStop={() => {
            stop()
            input.current?.focus()
          }}
        />
        <p className="small-print">
          A small model, often wrong. No investment advice.
          {!sampling.earlierTurns && turns.length > 0 && ' Each question is answered on its own.'}
        </p>
      </section>
      <p className="hidden" role="status">
        {running ? 'Answering' : turns.length > 0 ? 'Answer ended' : ''}
      </p>
      {panel === 'sampling' && (
        <SamplingPanel
          sampling={sampling}
          context={context}
          onChange={setSampling}
          onClose={() => setPanel(null)}
        />
      )}
      {panel === 'card' && model && <CardPanel model={model} onClose={() => setPanel(null)} />}
    </div>
  )
}

interface HeaderProps {
  model: Model | null
  panel: 'sampling' | 'card' | null
  onPanel: (name: 'sampling' | 'card') => void
  onNewChat: () => void
}

function Header({ model, panel, onPanel, onNewChat }: HeaderProps) {
  const { theme, toggle } = useTheme()
  const cutoff = cutoffDate(model?.mintage)
  return (
    <header className="top">
      <h1>
        <img src="./mark.svg" alt="" width="26" height="26" />
        <span className="brand">Mintage</span>
        {model && <span className="model">{model.id}</span>}
      </h1>
      {model && (
        <button type="button" className="cutoff" aria-haspopup="dialog" onClick={() => onPanel('card')}>
          {cutoff ? (
            <>
              Knows nothing after <time dateTime={cutoff}>{cutoff}</time>
            </>
          ) : (
            'Knowledge cutoff unknown'
          )}
        </button>
      )}
      <nav aria-label="Page">
        <button
          type="button"
          className="icon-button"
          aria-label="New chat"
          title="New chat"
          onClick={onNewChat}
        >
          <Icon name="plus" />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="Sampling"
          title="Sampling"
          aria-expanded={panel === 'sampling'}
          onClick={() => onPanel('sampling')}
        >
          <Icon name="sliders" />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label="Model card"
          title="Model card"
          aria-expanded={panel === 'card'}
          onClick={() => onPanel('card')}
        >
          <Icon name="card" />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label={theme === 'dark' ? 'Light theme' : 'Dark theme'}
          title={theme === 'dark' ? 'Light theme' : 'Dark theme'}
          onClick={toggle}
        >
          <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
        </button>
      </nav>
    </header>
  )
}

function useModel(): { model: Model | null; problem: Problem | null; load: () => void } {
  const [model, setModel] = useState<Model | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const load = useCallback(() => {
    setProblem(null)
    fetchModel().then(
      (fetched) => {
        setModel(fetched)
        document.title = `${fetched.id} · Mintage`
      },
      (error: unknown) =>
        setProblem(error instanceof Problem ? error : new Problem('failed', String(error))),
    )
  }, [])
  useEffect(load, [load])
  return { model, problem, load }
}

/** Escape stops the answer, and / goes to the question field from anywhere outside a field. */
function useKeys(input: React.RefObject<HTMLTextAreaElement | null>, stop: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target as Element
      if (event.key === 'Escape' && !target.closest('dialog')) stop()
      if (
        event.key === '/' &&
        !event.ctrlKey &&
        !event.metaKey &&
        !target.closest('input, textarea, dialog')
      ) {
        event.preventDefault()
        input.current?.focus()
      }
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [input, stop])
}
