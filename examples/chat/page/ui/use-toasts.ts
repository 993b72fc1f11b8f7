import { useCallback, useEffect, useState } from 'react'

/** A short text that goes away by itself. */
export interface Toast {
  readonly id: number
  readonly text: string
}

/** At most this many at once; the oldest goes first. */
const SHOWN = 3
/** Milliseconds the oldest is shown. */
const SHOWN_FOR = 6000

/** Toasts, newest last. */
export function useToasts() {
  const [toasts, setToasts] = useState<readonly Toast[]>([])
  const dismiss = useCallback((id: number) => setToasts((old) => old.filter((toast) => toast.id !== id)), [])
  const show = useCallback(
    (text: string) => setToasts((old) => [...old, { id: (old.at(-1)?.id ?? 0) + 1, text }].slice(-SHOWN)),
    [],
  )
  const oldest = toasts[0]?.id
  useEffect(() => {
    if (oldest === undefined) return
    const timer = setTimeout(() => dismiss(oldest), SHOWN_FOR)
    return () => clearTimeout(timer)
  }, [oldest, dismiss])
  return { toasts, show, dismiss }
}
