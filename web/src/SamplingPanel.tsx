import { useState } from 'react'
import { Panel } from './Panel'
import { controlsFor, INITIAL, type Control, type Sampling } from './sampling'

interface Props {
  sampling: Sampling
  context: number | null | undefined
  onChange: (sampling: Sampling) => void
  onClose: () => void
}

export function SamplingPanel({ sampling, context, onChange, onClose }: Props) {
  // Number fields keep what is being typed; a new key after a reset makes them read the values again.
  const [resets, setResets] = useState(0)
  return (
    <Panel title="Sampling" onClose={onClose}>
      <div key={resets} className="controls">
        {controlsFor(context).map((control) => (
          <ControlRow
            key={control.field}
            control={control}
            value={Math.min(sampling.values[control.field], control.maximum)}
            onChange={(value) =>
              onChange({ ...sampling, values: { ...sampling.values, [control.field]: value } })
            }
          />
        ))}
        <div className="control">
          <div className="control-head">
            <label htmlFor="seed">Seed</label>
            <input
              id="seed"
              type="number"
              inputMode="numeric"
              step={1}
              placeholder="any"
              aria-describedby="seed-help"
              defaultValue={sampling.seed ?? ''}
              onChange={(event) => {
                const value = event.target.valueAsNumber
                onChange({ ...sampling, seed: Number.isSafeInteger(value) ? value : null })
              }}
            />
          </div>
          <p id="seed-help">The same seed draws the same answer again. Empty: a new one each time.</p>
        </div>
        <div className="control">
          <label htmlFor="system">System prompt</label>
          <textarea
            id="system"
            rows={3}
            aria-describedby="system-help"
            value={sampling.system}
            onChange={(event) => onChange({ ...sampling, system: event.target.value })}
          />
          <p id="system-help">
            Put before the chat. Helps only if the model was tuned with system prompts.
          </p>
        </div>
        <div className="control">
          <label className="check">
            <input
              type="checkbox"
              aria-describedby="earlier-help"
              checked={sampling.earlierTurns}
              onChange={(event) => onChange({ ...sampling, earlierTurns: event.target.checked })}
            />
            Send earlier turns
          </label>
          <p id="earlier-help">
            The model then reads the whole chat before each question, the oldest turns dropped when its
            context is full. Off, each question stands alone.
          </p>
        </div>
      </div>
      <button
        type="button"
        className="button"
        onClick={() => {
          onChange(INITIAL)
          setResets(resets + 1)
        }}
      >
        Reset to defaults
      </button>
    </Panel>
  )
}

function ControlRow({
  control,
  value,
  onChange,
}: {
  control: Control
  value: number
  onChange: (value: number) => void
}) {
  const [typed, setTyped] = useState<string | null>(null)
  const { field, label, help, minimum, maximum, step } = control
  return (
    <div className="control">
      <div className="control-head">
        <label htmlFor={field}>{label}</label>
        <input
          type="number"
          inputMode="decimal"
          aria-label={`${label}, exact value`}
          min={minimum}
          max={maximum}
          step={step}
          value={typed ?? value}
          onChange={(event) => {
            setTyped(event.target.value)
            const number = event.target.valueAsNumber
            const whole = step < 1 || Number.isInteger(number)
            if (number >= minimum && number <= maximum && whole) onChange(number)
          }}
          onBlur={() => setTyped(null)}
        />
      </div>
      <input
        id={field}
        type="range"
        aria-describedby={`${field}-help`}
        min={minimum}
        max={maximum}
        step={step}
        value={value}
        onChange={(event) => {
          setTyped(null)
          onChange(event.target.valueAsNumber)
        }}
      />
      <p id={`${field}-help`}>{help}</p>
    </div>
  )
}
