/** Line icons on a 20 by 20 grid; decoration only, every button has its own label. */

const PATHS = {
  arrowDown: 'M10 4v12M5 11l5 5 5-5',
  arrowUp: 'M10 16V4M5 9l5-5 5 5',
  card: 'M4 3.5h12v13H4zM7 7.5h6M7 10.5h6M7 13.5h3',
  check: 'M4.5 10.5l3.5 3.5 7.5-8',
  close: 'M5 5l10 10M15 5L5 15',
  copy: 'M7.5 7.5h8v9h-8zM12.5 7.5v-4h-8v9h3',
  moon: 'M16 11.8A6.5 6.5 0 0 1 8.2 4 6.5 6.5 0 1 0 16 11.8z',
  pencil: 'M4 16l.8-3.4L13.4 4 16 6.6 7.4 15.2z',
  plus: 'M10 4.5v11M4.5 10h11',
  retry: 'M15.5 10a5.5 5.5 0 1 1-1.7-4M15.5 3.5V6.6h-3.1',
  sliders: 'M3.5 6.5h7M14.5 6.5h2M3.5 13.5h2M9.5 13.5h7M12.5 4.5v4M7.5 11.5v4',
  stop: 'M6 6h8v8H6z',
  sun: 'M10 6.8a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4zM10 2.5v1.6M10 15.9v1.6M2.5 10h1.6M15.9 10h1.6M4.7 4.7l1.1 1.1M14.2 14.2l1.1 1.1M15.3 4.7l-1.1 1.1M5.8 14.2l-1.1 1.1',
} as const

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" data-icon={name}>
      <path d={PATHS[name]} />
    </svg>
  )
}
