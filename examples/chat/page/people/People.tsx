import type { ChannelId } from '../chat.client.js'
import type { Person } from '../model/people.js'
import { Avatar } from '../ui/Avatar.js'
import './people.css'
import { usePeople } from './use-people.js'

/** So many are shown by name, or face; the others are counted. */
const SHOWN = { list: 50, stack: 3 }

interface Props {
  readonly channelId: ChannelId
}

/** Who is here, by name. */
export function PeopleList({ channelId }: Props) {
  const people = usePeople(channelId)
  return (
    <section className="people" aria-label={`People in #${channelId}`}>
      <span className="sidebar-label" aria-hidden="true">
        Here{people.length > 0 && ` – ${people.length}`}
      </span>
      <ul>
        {people.slice(0, SHOWN.list).map((person) => (
          <li key={person.name} className="person" data-away={person.away || undefined}>
            <Face {...person} />
            <span className="person-name">{person.name}</span>
            <span className="person-note">{note(person)}</span>
          </li>
        ))}
        {people.length > SHOWN.list && <li className="people-more">and {people.length - SHOWN.list} more</li>}
      </ul>
    </section>
  )
}

/** The same where there is little room: faces, and how many more. */
export function PeopleStack({ channelId }: Props) {
  const people = usePeople(channelId)
  if (people.length === 0) return null
  const names = people.map(({ name, away }) => (away ? `${name} (away)` : name)).join(', ')
  const more = people.length - SHOWN.stack
  return (
    <div className="people-stack" role="img" aria-label={`Here: ${names}`} title={names}>
      {people.slice(0, SHOWN.stack).map((person) => (
        <Face key={person.name} {...person} />
      ))}
      {more > 0 && <span className="people-count">+{more}</span>}
    </div>
  )
}

const Face = ({ name, away }: Person) => (
  <span className="face" data-away={away || undefined}>
    <Avatar name={name} />
    <span className="face-dot" aria-hidden="true" />
  </span>
)

const note = ({ me, away }: Person): string => [me && 'you', away && 'away'].filter(Boolean).join(', ')
