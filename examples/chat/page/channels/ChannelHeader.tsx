import type { ChannelId } from '../chat.client.js'
import { PeopleStack } from '../people/People.js'
import { ConnectionStatus } from './ConnectionStatus.js'
import { Topic } from './Topic.js'
import './channel-header.css'

interface Props {
  readonly channelId: ChannelId
  readonly topic: string
  readonly onProblem: (text: string) => void
}

/** What the channel is about, who is there where the sidebar has no room for it, and how the connection is. */
export const ChannelHeader = ({ channelId, topic, onProblem }: Props) => (
  <header className="channel-header">
    <h1 className="channel-title">
      <span aria-hidden="true">#</span>
      {channelId}
    </h1>
    <Topic key={channelId} channelId={channelId} topic={topic} onProblem={onProblem} />
    <PeopleStack key={`${channelId} people`} channelId={channelId} />
    <ConnectionStatus />
  </header>
)
