// Runs before the first paint, so that a remembered theme never flashes in the other one.
try {
  const theme = localStorage.getItem('mintage.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage is refused in some private windows: the page then follows the system.
}
