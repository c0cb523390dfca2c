/** The server's OpenAI-shaped interface, as far as the page uses it, on the page's own origin. */

import { EventSourceParserStream } from 'eventsource-parser/stream'
import { read, write } from './storage'

export interface Source {
  name: string
  documents: number | null
  licence: string | null
}

export type Example = string | { title: string; prompt: string }

export type Figure = number | string | boolean | null | Figure[] | { [name: string]: Figure }

/** The `mintage` object of a model: its card in short. */
export interface Card {
  knowledge_cutoff?: string | null
  context?: number | null
  parameters?: number | null
  licence?: string | null
  sources?: Source[]
  figures?: { [name: string]: Figure }
  examples?: Example[]
}

export interface Model {
  id: string
  mintage?: Card
}

export interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

export interface ChatRequest {
  model: string
  messages: Message[]
  [sampling: string]: unknown
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
}

/** What one event of a streamed answer adds. */
export interface Delta {
  text: string
  finishReason?: string
  usage?: Usage
}

interface ErrorBody {
  error?: { message?: string; code?: string | null }
}

interface Chunk extends ErrorBody {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[]
  usage?: Usage | null
}

export type ProblemKind = 'unreachable' | 'key' | 'too_long' | 'busy' | 'refused' | 'failed' | 'cut_off'

/** A failure: `kind` chooses what the page says and offers, `detail` is the server's own sentence. */
export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
  ) {
    super(detail)
  }
}

export function saveKey(key: string): void {
  write('sessionStorage', 'key', key)
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = read('sessionStorage', 'key')
  if (key) headers.set('Authorization', `Bearer ${key}`)
  let response: Response
  try {
    response = await fetch(new URL(path, document.baseURI), { ...init, headers })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Problem('unreachable', '')
  }
  if (!response.ok) throw await problemOf(response)
  return response
}

async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody
  const detail =
    body.error?.message ?? `The server answered ${response.status} ${response.statusText}`.trim()
  if (response.status === 401) return new Problem('key', detail)
  if (response.status === 429 || response.status === 503) return new Problem('busy', detail)
  if (body.error?.code === 'context_length_exceeded') return new Problem('too_long', detail)
  return new Problem(response.status < 500 ? 'refused' : 'failed', detail)
}

/** The served model with its card. */
export async function fetchModel(): Promise<Model> {
  const listed = (await (await request('v1/models')).json()) as { data: Model[] }
  const first = listed.data[0]
  if (!first) throw new Problem('failed', 'The server lists no model.')
  return (await (await request(`v1/models/${encodeURIComponent(first.id)}`)).json()) as Model
}

/** Streams one answer. Ends normally only after `[DONE]`; aborting the signal closes the connection. */
export async function* streamChat(body: ChatRequest, signal: AbortSignal): AsyncGenerator<Delta> {
  const response = await request('v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  })
  if (!response.body) throw new Problem('cut_off', '')
  const reader = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  while (true) {
    let event
    try {
      event = await reader.read()
    } catch (error) {
      if (signal.aborted) throw error
      throw new Problem('cut_off', '')
    }
    if (event.done) throw new Problem('cut_off', '')
    if (event.value.data === '[DONE]') return
    const chunk = JSON.parse(event.value.data) as Chunk
    if (chunk.error) throw new Problem('failed', chunk.error.message ?? '')
    const choice = chunk.choices?.[0]
    yield {
      text: choice?.delta?.content ?? '',
      finishReason: choice?.finish_reason ?? undefined,
      usage: chunk.usage ?? undefined,
    }
  }
}
