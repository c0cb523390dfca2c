/** The model's card: what it knows until when, what it was made from, how it did. */

import type { Card, Figure, Model } from './api'
import { Panel } from './Panel'

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const PRECISE = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 })

/** The calendar date of a cutoff, which may carry a time of day. */
export function cutoffDate(card: Card | undefined): string | null {
  return card?.knowledge_cutoff?.slice(0, 10) ?? null
}

export function CardPanel({ model, onClose }: { model: Model; onClose: () => void }) {
  const card = model.mintage ?? {}
  const cutoff = cutoffDate(card)
  const figures = Object.entries(card.figures ?? {})
  return (
    <Panel title="Model card" onClose={onClose}>
      <p className="card-name">{model.id}</p>
      <div className="card-cutoff">
        <h3>Knowledge cutoff</h3>
        {cutoff ? (
          <>
            <p className="date">
              <time dateTime={cutoff}>{cutoff}</time>
            </p>
            <p>It was made only from text that was public by then, and knows nothing later.</p>
          </>
        ) : (
          <>
            <p className="date">unknown</p>
            <p>Some of its text carries no date, so nothing can be said about what it may have seen.</p>
          </>
        )}
      </div>
      <dl className="facts">
        <Fact name="Parameters" value={card.parameters == null ? null : SHORT.format(card.parameters)} />
        <Fact name="Context" value={card.context == null ? null : `${WHOLE.format(card.context)} tokens`} />
        <Fact name="Licence" value={card.licence ?? null} />
      </dl>
      {card.sources && card.sources.length > 0 && (
        <section>
          <h3>Sources</h3>
          <div className="table" tabIndex={0} role="region" aria-label="Sources">
            <table>
              <thead>
                <tr>
                  <th scope="col">Source</th>
                  <th scope="col" className="right">
                    Documents
                  </th>
                  <th scope="col">Licence</th>
                </tr>
              </thead>
              <tbody>
                {card.sources.map((source) => (
                  <tr key={source.name}>
                    <th scope="row">{readable(source.name)}</th>
                    <td className="right">
                      {source.documents == null ? '–' : WHOLE.format(source.documents)}
                    </td>
                    <td>{source.licence ?? '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
      {figures.length > 0 && (
        <section>
          <h3>Figures</h3>
          <Figures entries={figures} />
        </section>
      )}
    </Panel>
  )
}

function Fact({ name, value }: { name: string; value: string | null }) {
  return value === null ? null : (
    <div>
      <dt>{name}</dt>
      <dd>{/^[0-9a-f]{32,}$/.test(value) ? <code>{value}</code> : value}</dd>
    </div>
  )
}

/** Figures may be nested by kind or by source: each level becomes an indented list under its name. */
function Figures({ entries }: { entries: [string, Figure][] }) {
  return (
    <dl className="facts">
      {entries.map(([name, value]) =>
        typeof value === 'object' && value !== null ? (
          <div key={name} className="group">
            <dt>{readable(name)}</dt>
            <dd>
              <Figures entries={Array.isArray(value) ? value.map(labelled) : Object.entries(value)} />
            </dd>
          </div>
        ) : (
          <Fact key={name} name={readable(name)} value={shown(value)} />
        ),
      )}
    </dl>
  )
}

/** A row of a list under its own name, or under its number where it has none. */
function labelled(row: Figure, index: number): [string, Figure] {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return [`${index + 1}`, row]
  const { source, name, ...others } = row
  return [String(source ?? name ?? index + 1), others]
}

function readable(name: string): string {
  return name.replaceAll('_', ' ')
}

function shown(value: number | string | boolean | null): string {
  if (value === null) return '–'
  if (typeof value === 'number')
    return Number.isInteger(value) ? WHOLE.format(value) : PRECISE.format(value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return value
}
