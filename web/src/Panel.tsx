/** A side panel: beside the chat on a wide screen, over it (and modal) on a narrow one. */

import { useEffect, useId, useRef, type ReactNode } from 'react'
import { Icon } from './icons'

interface Props {
  title: string
  onClose: () => void
  children: ReactNode
}

export function Panel({ title, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()

  useEffect(() => {
    const element = dialog.current
    if (window.matchMedia('(min-width: 70rem)').matches) element?.show()
    else element?.showModal()
    return () => element?.close()
  }, [])

  // Closing through the dialog itself gives the focus back to the button that opened it.
  const close = () => dialog.current?.close()
  return (
    <dialog
      ref={dialog}
      className="panel"
      aria-labelledby={titleId}
      onClose={onClose}
      onKeyDown={(event) => event.key === 'Escape' && close()}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div className="panel-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
