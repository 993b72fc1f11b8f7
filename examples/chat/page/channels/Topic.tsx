import { type FormEvent, type KeyboardEvent, useState } from 'react'
import type { ChannelId } from '../chat.client.js'
import { explain } from '../model/problems.js'
import { useSession } from '../session/use-session.js'
import { EditIcon } from '../ui/icons.js'

interface Props {
  readonly channelId: ChannelId
  readonly topic: string
  readonly onProblem: (text: string) => void
}

/** The topic; a click edits it in its place. Enter keeps, Escape does not. */
export function Topic({ channelId, topic, onProblem }: Props) {
  const { chat } = useSession()
  const [draft, setDraft] = useState<string>()

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setDraft(undefined)
    const text = draft?.trim() ?? ''
    if (text === '' || text === topic) return
    const result = await chat.calls.topic.set.result({ channelId, text })
    if (!result.ok) onProblem(`The topic stays as it is. ${explain(result.error)}`)
  }

  if (draft === undefined) {
    return (
      <button type="button" className="topic" title={topic} onClick={() => setDraft(topic)}>
        <span className="visually-hidden">Topic: </span>
        <span className="topic-text">{topic}</span>
        <EditIcon />
        <span className="visually-hidden">, edit</span>
      </button>
    )
  }
  return (
    <form className="topic-form" onSubmit={submit}>
      <input
        className="topic-input"
        aria-label="Topic"
        value={draft}
        maxLength={120}
        // biome-ignore lint/a11y/noAutofocus: it takes the place of the button that was just pressed
        autoFocus
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => setDraft(undefined)}
        onKeyDown={(event: KeyboardEvent) => event.key === 'Escape' && setDraft(undefined)}
      />
    </form>
  )
}
