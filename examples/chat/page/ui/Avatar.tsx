import { hueOf, initials } from '../model/format.js'
import './avatar.css'

/** A person's initials on their colour. The name stands beside it, so it says nothing by itself. */
export const Avatar = ({ name }: { readonly name: string }) => (
  <span className="avatar" style={{ '--hue': hueOf(name) }} aria-hidden="true">
    {initials(name)}
  </span>
)
