/** Puts text on the clipboard; also where a page served over plain http has no Clipboard interface. */
export async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'hidden'
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}
