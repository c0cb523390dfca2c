import type { Example, Model } from './api'
import { cutoffDate } from './CardPanel'

const EXAMPLES: Example[] = [
  {
    title: 'Find a figure',
    prompt:
      'Revenue of Northgate in millions:\n2017: 1,102\n2018: 1,187\n2019: 1,234\n\nWhat was the revenue of Northgate in 2018?',
  },
  {
    title: 'Say the direction',
    prompt:
      'Net income of Northgate fell from 96 million in 2018 to 88 million in 2019.\n\nDid net income rise or fall?',
  },
  { title: 'Explain a term', prompt: 'What is gross margin?' },
  { title: 'Central banks', prompt: 'How does a rise in the policy rate reach the price of a mortgage?' },
]

interface Props {
  model: Model
  onAsk: (question: string) => void
}

export function Welcome({ model, onAsk }: Props) {
  const given = model.mintage?.examples ?? []
  const examples = (given.length > 0 ? given : EXAMPLES).slice(0, 4)
  const cutoff = cutoffDate(model.mintage)
  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <h2 id="welcome-title">What would you like to know?</h2>
      <p>
        {cutoff ? (
          <>
            This model has read nothing written after <time dateTime={cutoff}>{cutoff}</time>. It is small:
          </>
        ) : (
          'This is a small model:'
        )}{' '}
        it does best with the figures in front of it, and it makes mistakes. Nothing it says is investment
        advice.
      </p>
      <ul>
        {examples.map((example) => {
          const prompt = typeof example === 'string' ? example : example.prompt
          const title = typeof example === 'string' ? null : example.title
          return (
            <li key={prompt}>
              <button type="button" className="example" onClick={() => onAsk(prompt)}>
                {title && <strong>{title}</strong>}
                <span>{prompt}</span>
              </button>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
