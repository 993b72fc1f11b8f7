import { CloseIcon } from './icons.js'
import './toasts.css'
import type { Toast } from './use-toasts.js'

interface Props {
  readonly toasts: readonly Toast[]
  readonly onDismiss: (id: number) => void
}

/** The toasts; read aloud as they come. */
export const Toasts = ({ toasts, onDismiss }: Props) => (
  <div className="toasts" role="alert">
    {toasts.map(({ id, text }) => (
      <div key={id} className="toast">
        <span>{text}</span>
        <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => onDismiss(id)}>
          <CloseIcon />
        </button>
      </div>
    ))}
  </div>
)
