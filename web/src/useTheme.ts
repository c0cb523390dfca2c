/** Dark or light: follows the system until the reader chooses the other one, which is then remembered. */

import { useState, useSyncExternalStore } from 'react'
import { read, write } from './storage'

export type Theme = 'light' | 'dark'

const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)')

function subscribe(notify: () => void): () => void {
  systemIsDark.addEventListener('change', notify)
  return () => systemIsDark.removeEventListener('change', notify)
}

export function useTheme(): { theme: Theme; toggle: () => void } {
  const system: Theme = useSyncExternalStore(subscribe, () => systemIsDark.matches) ? 'dark' : 'light'
  const [chosen, setChosen] = useState(() => read('localStorage', 'theme') as Theme | null)
  const theme = chosen ?? system

  function toggle(): void {
    const other: Theme = theme === 'dark' ? 'light' : 'dark'
    // Back at the system's own theme, the page follows the system again.
    const next = other === system ? null : other
    setChosen(next)
    write('localStorage', 'theme', next)
    if (next) document.documentElement.dataset.theme = next
    else delete document.documentElement.dataset.theme
  }

  return { theme, toggle }
}
