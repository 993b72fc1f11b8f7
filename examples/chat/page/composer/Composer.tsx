import { type FormEvent, type KeyboardEvent, useEffect, useRef } from 'react'
import type { ChannelId } from '../chat.client.js'
import { useSession } from '../session/use-session.js'
import { SendIcon } from '../ui/icons.js'
import './composer.css'

/** The contract's bound of a message. */
const LONGEST = 2000
/** Says at most once in so many milliseconds that somebody types. */
const TYPING_EVERY = 2000

interface Props {
  readonly channelId: ChannelId
  readonly draft: string
  readonly onDraft: (text: string) => void
  readonly onSend: (text: string) => void
}

/** Where one writes. Enter sends, Shift+Enter starts a line. It never waits for a connection. */
export function Composer({ channelId, draft, onDraft, onSend }: Props) {
  const { chat } = useSession()
  const area = useRef<HTMLTextAreaElement>(null)
  const saidAt = useRef(Number.NEGATIVE_INFINITY)
  const text = draft.trim()

  useEffect(() => {
    // On a phone the focus would open the keyboard over what one came to read.
    if (channelId && matchMedia('(pointer: fine)').matches) area.current?.focus()
    saidAt.current = Number.NEGATIVE_INFINITY
  }, [channelId])

  const change = (value: string) => {
    onDraft(value)
    const now = performance.now()
    if (value.trim() === '' || now - saidAt.current < TYPING_EVERY) return
    saidAt.current = now
    chat.calls.typing({ channelId })
  }
  const submit = (event?: FormEvent) => {
    event?.preventDefault()
    if (text === '') return
    saidAt.current = Number.NEGATIVE_INFINITY
    onSend(text)
    onDraft('')
    area.current?.focus()
  }
  const press = (event: KeyboardEvent) => {
    // While an input method composes, Enter takes its suggestion.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }

  return (
    <form className="composer" onSubmit={submit}>
      {/* The same text, unseen, in the same grid cell gives the textarea its height. */}
      <div className="composer-grow" data-text={draft}>
        <textarea
          ref={area}
          rows={1}
          maxLength={LONGEST}
          placeholder={`Message #${channelId}`}
          aria-label={`Message #${channelId}`}
          enterKeyHint="send"
          value={draft}
          onChange={(event) => change(event.target.value)}
          onKeyDown={press}
        />
      </div>
      <button type="submit" className="send-button" aria-label="Send" title="Send" disabled={text === ''}>
        <SendIcon />
      </button>
    </form>
  )
}
