import type { ChannelId } from '../chat.client.js'
import { CHANNELS } from '../model/channels.js'
import type { Feeds } from '../model/feeds.js'
import { count } from '../model/format.js'
import { PeopleList } from '../people/People.js'
import { useSession } from '../session/use-session.js'
import { Avatar } from '../ui/Avatar.js'
import { LeaveIcon, Mark } from '../ui/icons.js'
import './sidebar.css'

interface Props {
  readonly feeds: Feeds
  readonly active: ChannelId
  readonly onLeave: () => void
}

/** The channels, who is in the one that is open, and who I am. A row on top of a phone. */
export function Sidebar({ feeds, active, onLeave }: Props) {
  const { name } = useSession()
  return (
    <aside className="sidebar">
      <div className="brand">
        <Mark />
        <span>ackord chat</span>
      </div>
      <nav className="channels" aria-label="Channels">
        <span className="sidebar-label" aria-hidden="true">
          Channels
        </span>
        {CHANNELS.map(({ id }) => (
          <ChannelLink key={id} id={id} unread={feeds[id].unread} active={id === active} />
        ))}
      </nav>
      <PeopleList key={active} channelId={active} />
      <div className="me">
        <Avatar name={name} />
        <span className="me-name">{name}</span>
        <button
          type="button"
          className="icon-button"
          aria-label="Sign out"
          title="Sign out"
          onClick={onLeave}
        >
          <LeaveIcon />
        </button>
      </div>
    </aside>
  )
}

interface LinkProps {
  readonly id: ChannelId
  readonly unread: number
  readonly active: boolean
}

const ChannelLink = ({ id, unread, active }: LinkProps) => (
  <a
    href={`#${id}`}
    className="channel"
    aria-current={active ? 'page' : undefined}
    data-unread={unread > 0 || undefined}
  >
    <span className="channel-hash" aria-hidden="true">
      #
    </span>
    <span className="channel-name">{id}</span>
    {unread > 0 && (
      <span className="badge">
        <span aria-hidden="true">{unread > 99 ? '99+' : unread}</span>
        <span className="visually-hidden">, {count(unread, 'unread message')}</span>
      </span>
    )}
  </a>
)
