import 'react'

declare module 'react' {
  interface CSSProperties {
    /** A person's hue, 0–359. */
    '--hue'?: number
  }
}
