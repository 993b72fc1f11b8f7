import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react'

/** Nearer to the end than this many pixels counts as being there. */
const NEAR = 48

interface StickToBottom {
  /** The element that scrolls, and the one inside it that grows. */
  readonly view: RefObject<HTMLDivElement | null>
  readonly content: RefObject<HTMLDivElement | null>
  /** Whether the end is in sight; then it stays in sight. */
  readonly stuck: boolean
  /** At once, or `auto`: as the style sheet says. */
  readonly toBottom: (behavior?: ScrollBehavior) => void
}

/** Keeps the end of a list in sight while it grows or its window shrinks, unless the reader scrolled up. */
export function useStickToBottom(): StickToBottom {
  const view = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const stuckNow = useRef(true)
  const [stuck, setStuck] = useState(true)

  const toBottom = useCallback((behavior: ScrollBehavior = 'instant') => {
    view.current?.scrollTo({ top: view.current.scrollHeight, behavior })
  }, [])

  useLayoutEffect(() => {
    const element = view.current
    if (!element || !content.current) return
    const onScroll = () => {
      stuckNow.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR
      setStuck(stuckNow.current)
    }
    const observer = new ResizeObserver(() => stuckNow.current && toBottom())
    observer.observe(element)
    observer.observe(content.current)
    element.addEventListener('scroll', onScroll, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', onScroll)
    }
  }, [toBottom])

  // After each commit as well: a scroll event between the commit and the observer must not unstick.
  useLayoutEffect(() => {
    if (stuckNow.current) toBottom()
  })

  return { view, content, stuck, toBottom }
}
