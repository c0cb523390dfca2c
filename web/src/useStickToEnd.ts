/** Keeps the end of the page in view while it grows, until the reader scrolls away from it. */

import { useCallback, useEffect, useRef, useState } from 'react'

const NEAR = 96

export function useStickToEnd(content: unknown): { atEnd: boolean; goToEnd: () => void } {
  const [atEnd, setAtEnd] = useState(true)
  const following = useRef(true)

  useEffect(() => {
    const look = () => {
      const page = document.documentElement
      following.current = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR
      setAtEnd(following.current)
    }
    window.addEventListener('scroll', look, { passive: true })
    window.addEventListener('resize', look, { passive: true })
    return () => {
      window.removeEventListener('scroll', look)
      window.removeEventListener('resize', look)
    }
  }, [])

  useEffect(() => {
    if (following.current) window.scrollTo({ top: document.documentElement.scrollHeight })
  }, [content])

  const goToEnd = useCallback(() => {
    following.current = true
    setAtEnd(true)
    window.scrollTo({ top: document.documentElement.scrollHeight })
  }, [])
  return { atEnd, goToEnd }
}
