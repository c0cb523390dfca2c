/** Web storage that is absent in some private windows: reads give null, writes are dropped. */

export function read(storage: 'localStorage' | 'sessionStorage', key: string): string | null {
  try {
    return window[storage].getItem(`mintage.${key}`)
  } catch {
    return null
  }
}

export function write(storage: 'localStorage' | 'sessionStorage', key: string, value: string | null): void {
  try {
    if (value === null) window[storage].removeItem(`mintage.${key}`)
    else window[storage].setItem(`mintage.${key}`, value)
  } catch {
    // Refused or full: the page goes on from memory alone.
  }
}

/** A JSON value of this tab's session, or `fallback` when it is absent or not JSON. */
export function readSession<Value>(key: string, fallback: Value): Value {
  const text = read('sessionStorage', key)
  if (text === null) return fallback
  try {
    return JSON.parse(text) as Value
  } catch {
    return fallback
  }
}

export function writeSession(key: string, value: unknown): void {
  write('sessionStorage', key, JSON.stringify(value))
}
