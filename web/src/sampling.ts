/** What the sampling panel offers, and which request fields its state becomes. */

import type { Message } from './api'

export interface Control {
  field: 'temperature' | 'top_p' | 'top_k' | 'min_p' | 'repetition_penalty' | 'max_tokens'
  label: string
  help: string
  minimum: number
  maximum: number
  step: number
  initial: number
}

export const CONTROLS: readonly Control[] = [
  {
    field: 'temperature',
    label: 'Temperature',
    help: 'At 0 the likeliest token is always taken, so a retry gives the same answer. Higher values vary more.',
    minimum: 0,
    maximum: 2,
    step: 0.05,
    initial: 0,
  },
  {
    field: 'top_p',
    label: 'Top p',
    help: 'Draws only from the likeliest tokens that together reach this probability. Off at 1.',
    minimum: 0.01,
    maximum: 1,
    step: 0.01,
    initial: 1,
  },
  {
    field: 'top_k',
    label: 'Top k',
    help: 'Draws only from this many of the likeliest tokens. Off at 0.',
    minimum: 0,
    maximum: 200,
    step: 1,
    initial: 0,
  },
  {
    field: 'min_p',
    label: 'Min p',
    help: 'Leaves out tokens less likely than this share of the likeliest one. Off at 0.',
    minimum: 0,
    maximum: 1,
    step: 0.01,
    initial: 0,
  },
  {
    field: 'repetition_penalty',
    label: 'Repetition penalty',
    help: 'Makes tokens that already occurred less likely. Off at 1.',
    minimum: 1,
    maximum: 2,
    step: 0.01,
    initial: 1,
  },
  {
    field: 'max_tokens',
    label: 'Longest answer',
    help: 'The answer is cut after this many tokens.',
    minimum: 1,
    maximum: 4096,
    step: 1,
    initial: 256,
  },
]

export interface Sampling {
  values: Record<Control['field'], number>
  seed: number | null
  system: string
  earlierTurns: boolean
}

export const INITIAL: Sampling = {
  values: Object.fromEntries(
    CONTROLS.map((control) => [control.field, control.initial]),
  ) as Sampling['values'],
  seed: null,
  system: '',
  // Small models are mostly tuned on single questions, and earlier turns use up a short context.
  earlierTurns: false,
}

/** The controls for one model: an answer cannot be longer than the model's context. */
export function controlsFor(context: number | null | undefined): Control[] {
  return CONTROLS.map((control) =>
    control.field === 'max_tokens' && context
      ? { ...control, maximum: context, initial: Math.min(control.initial, context) }
      : control,
  )
}

/** The request's sampling fields: temperature and max_tokens always, others only away from their off value. */
export function samplingFields(
  sampling: Sampling,
  context: number | null | undefined,
): Record<string, number> {
  const fields: Record<string, number> = {}
  for (const control of controlsFor(context)) {
    const value = Math.min(sampling.values[control.field], control.maximum)
    const always = control.field === 'temperature' || control.field === 'max_tokens'
    if (always || value !== control.initial) fields[control.field] = value
  }
  if (sampling.seed !== null) fields.seed = sampling.seed
  return fields
}

export function systemMessages(sampling: Sampling): Message[] {
  const content = sampling.system.trim()
  return content ? [{ role: 'system', content }] : []
}
