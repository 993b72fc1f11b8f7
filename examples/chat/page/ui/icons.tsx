import type { ReactNode } from 'react'

/** 20 by 20, in the text's colour; the element around it has the name. */
const Icon = ({ children }: { readonly children: ReactNode }) => (
  <svg className="icon" viewBox="0 0 20 20" fill="none" aria-hidden="true">
    {children}
  </svg>
)

/** An arrow up. */
export const SendIcon = () => (
  <Icon>
    <path d="M10 16V4.5M5 9l5-5 5 5" />
  </Icon>
)
/** An arrow down. */
export const DownIcon = () => (
  <Icon>
    <path d="M10 4v11.5M5 11l5 5 5-5" />
  </Icon>
)
/** A cross. */
export const CloseIcon = () => (
  <Icon>
    <path d="M5.5 5.5l9 9m0-9l-9 9" />
  </Icon>
)
/** A clock. */
export const ClockIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path d="M10 6.5V10l2.5 1.5" />
  </Icon>
)
/** A way out. */
export const LeaveIcon = () => (
  <Icon>
    <path d="M8 4H4.5v12H8M12.5 6.5L16 10l-3.5 3.5M16 10H8" />
  </Icon>
)
/** A pencil. */
export const EditIcon = () => (
  <Icon>
    <path d="M4 16l.8-3.4L13 4.4a1.4 1.4 0 012 0l.6.6a1.4 1.4 0 010 2L7.4 15.2 4 16z" />
  </Icon>
)

/** The product's mark. */
export const Mark = () => (
  <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="9" />
    <path d="M9 16.5l4.6 4.6L23 11.6" />
  </svg>
)
