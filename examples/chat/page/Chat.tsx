import { useOutbox } from 'ackord/react'
import { useEffect, useMemo, useReducer } from 'react'
import { ChannelFeed } from './channels/ChannelFeed.js'
import { ChannelHeader } from './channels/ChannelHeader.js'
import { Sidebar } from './channels/Sidebar.js'
import { useActiveChannel } from './channels/use-active-channel.js'
import { Composer } from './composer/Composer.js'
import { TypingLine } from './composer/TypingLine.js'
import { MessageList } from './messages/MessageList.js'
import { CHANNELS } from './model/channels.js'
import { emptyFeeds, reduceFeeds } from './model/feeds.js'
import { isWaiting, type Line, toLines } from './model/timeline.js'
import { useSession } from './session/use-session.js'
import { Toasts } from './ui/Toasts.js'
import { useToasts } from './ui/use-toasts.js'
import { useVisible } from './ui/use-visible.js'
import { useSend } from './use-send.js'
import './chat.css'

/** The chat of a signed-in person. */
export function Chat({ onLeave }: { readonly onLeave: () => void }) {
  const { chat, name } = useSession()
  const [feeds, dispatch] = useReducer(reduceFeeds, emptyFeeds)
  const { toasts, show, dismiss } = useToasts()
  const active = useActiveChannel()
  const visible = useVisible()
  const outbox = useOutbox(chat)
  const send = useSend(dispatch, show)

  const feed = feeds[active]
  const lines = useMemo(() => toLines(feed, outbox, active, name), [feed, outbox, active, name])
  useTitle(
    active,
    Object.values(feeds).reduce((sum, { unread }) => sum + unread, 0),
  )

  useLeaveGuard(isWaiting(outbox))

  const draft = (text: string) => dispatch({ type: 'draft', channelId: active, text })
  const discard = ({ key }: Line) => dispatch({ type: 'discarded', channelId: active, key })
  const cancel = ({ key, text }: Line) => {
    if (chat.outbox.cancel(key) && feed.draft === '') draft(text)
  }
  const retry = (line: Line) => {
    discard(line)
    void send(active, line.text)
  }

  return (
    <div className="chat">
      {CHANNELS.map(({ id }) => (
        <ChannelFeed
          key={id}
          channelId={id}
          seen={visible && id === active}
          away={!visible}
          dispatch={dispatch}
          onProblem={show}
        />
      ))}
      <Sidebar feeds={feeds} active={active} onLeave={onLeave} />
      <main className="channel-main">
        <ChannelHeader channelId={active} topic={feed.topic} onProblem={show} />
        <MessageList
          key={active}
          channelId={active}
          lines={lines}
          loaded={feed.loaded}
          onCancel={cancel}
          onRetry={retry}
          onDiscard={discard}
        />
        <TypingLine key={`${active} typing`} channelId={active} />
        <Composer
          channelId={active}
          draft={feed.draft}
          onDraft={draft}
          onSend={(text) => void send(active, text)}
        />
        <Toasts toasts={toasts} onDismiss={dismiss} />
      </main>
    </div>
  )
}

/** Shows in the tab what waits to be read. */
function useTitle(channelId: string, unread: number): void {
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}#${channelId}`
  }, [channelId, unread])
}

/** Asks before the page is closed with what it still holds: the outbox lives in its memory. */
function useLeaveGuard(needed: boolean): void {
  useEffect(() => {
    if (!needed) return
    const ask = (event: BeforeUnloadEvent) => event.preventDefault()
    window.addEventListener('beforeunload', ask)
    return () => window.removeEventListener('beforeunload', ask)
  }, [needed])
}
