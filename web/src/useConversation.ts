/** The conversation: a list of turns, each one question and the answer to it, kept for the tab's session. */

import { useCallback, useEffect, useRef, useState } from 'react'
import { Problem, streamChat, type ChatRequest, type Message, type ProblemKind, type Usage } from './api'
import { readSession, writeSession } from './storage'

export interface Turn {
  id: number
  question: string
  answer: string
  status: 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed'
  finishReason?: string
  usage?: Usage
  /** Seconds from sending to the first token, and from the first token to the last. */
  timing?: { first: number; rest: number }
  problem?: { kind: ProblemKind; detail: string }
}

export function isRunning(turn: Turn | undefined): boolean {
  return turn?.status === 'waiting' || turn?.status === 'streaming'
}

/** Turns as chat messages; turns without an answer are left out, for roles must alternate. */
export function messagesOf(turns: readonly Turn[]): Message[] {
  return turns
    .filter((turn) => turn.answer !== '')
    .flatMap((turn): Message[] => [
      { role: 'user', content: turn.question },
      { role: 'assistant', content: turn.answer },
    ])
}

// So that the processor of a fast model on the same machine is not spent on drawing.
const MILLISECONDS_BETWEEN_PAINTS = 40

function restored(): Turn[] {
  return readSession<Turn[]>('turns', []).map((turn) =>
    isRunning(turn) ? { ...turn, status: 'stopped' } : turn,
  )
}

export function useConversation(compose: (earlier: Turn[], question: string) => ChatRequest) {
  const [turns, setTurns] = useState(restored)
  const abort = useRef<AbortController | null>(null)
  const nextId = useRef(Math.max(0, ...turns.map((turn) => turn.id)) + 1)

  const running = isRunning(turns.at(-1))
  const latest = useRef(turns)
  latest.current = turns
  // Kept at the end of each answer, for a tab that the system discards is not told, and in mid-answer on leaving.
  useEffect(() => {
    if (!running) writeSession('turns', turns)
  }, [turns, running])
  useEffect(() => {
    const save = () => writeSession('turns', latest.current)
    window.addEventListener('pagehide', save)
    return () => window.removeEventListener('pagehide', save)
  }, [])

  /** Keeps `earlier`, asks `question` after it, and streams the answer in. */
  async function ask(earlier: Turn[], question: string): Promise<void> {
    abort.current?.abort()
    const controller = new AbortController()
    abort.current = controller
    const id = nextId.current++
    const update = (change: (turn: Turn) => Turn) =>
      setTurns((now) => now.map((turn) => (turn.id === id ? change(turn) : turn)))

    setTurns([...earlier, { id, question, answer: '', status: 'waiting' }])

    const sent = performance.now()
    let first: number | null = null
    let last = sent
    let unseen = ''
    let timer: number | undefined
    const show = () => {
      timer = undefined
      const text = unseen
      unseen = ''
      update((turn) => ({ ...turn, status: 'streaming', answer: turn.answer + text }))
    }
    const end = (changes: Partial<Turn>) => {
      window.clearTimeout(timer)
      const text = unseen
      unseen = ''
      update((turn) => ({ ...turn, ...changes, answer: turn.answer + text }))
    }

    try {
      let finishReason: string | undefined
      let usage: Usage | undefined
      for await (const delta of streamChat(compose(earlier, question), controller.signal)) {
        finishReason = delta.finishReason ?? finishReason
        usage = delta.usage ?? usage
        if (delta.text === '') continue
        last = performance.now()
        first ??= last
        unseen += delta.text
        timer ??= window.setTimeout(show, MILLISECONDS_BETWEEN_PAINTS)
      }
      first ??= performance.now()
      const timing = { first: (first - sent) / 1000, rest: Math.max(0, last - first) / 1000 }
      end({ status: 'done', finishReason, usage, timing })
    } catch (error) {
      if (controller.signal.aborted) end({ status: 'stopped' })
      else {
        const { kind, detail } = error instanceof Problem ? error : new Problem('failed', String(error))
        end({ status: 'failed', problem: { kind, detail } })
      }
    }
  }

  const stop = useCallback(() => abort.current?.abort(), [])

  function clear(): void {
    stop()
    setTurns([])
  }

  return { turns, running, ask, stop, clear }
}
