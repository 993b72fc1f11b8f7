import type { ChannelId } from '../chat.client.js'
import { useTypists } from './use-typists.js'
import './typing-line.css'

const names = new Intl.ListFormat('en', { type: 'conjunction' })

/** Who types, on a line that is always there. */
export function TypingLine({ channelId }: { readonly channelId: ChannelId }) {
  const typists = useTypists(channelId)
  return (
    <div className="typing-line" role="status">
      {typists.length > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <span>{describe(typists)}</span>
        </>
      )}
    </div>
  )
}

function describe(typists: readonly string[]): string {
  if (typists.length > 3) return 'Several people are typing'
  return `${names.format(typists)} ${typists.length === 1 ? 'is' : 'are'} typing`
}
