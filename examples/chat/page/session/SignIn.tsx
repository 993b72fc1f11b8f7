import { type FormEvent, useId, useState } from 'react'
import { Mark } from '../ui/icons.js'
import { fetchToken } from './session.js'
import './sign-in.css'

/** Asks for a name. */
export function SignIn({ onSignIn }: { readonly onSignIn: (name: string) => void }) {
  const [name, setName] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const id = useId()

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    try {
      await fetchToken(name.trim())
      onSignIn(name.trim())
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }

  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={submit}>
        <Mark />
        <h1>Come in</h1>
        <p className="sign-in-lead">Pick a name. Open a second tab under another one, and talk.</p>
        <label htmlFor={id}>Your name</label>
        <input
          id={id}
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={32}
          autoComplete="nickname"
          // biome-ignore lint/a11y/noAutofocus: the only thing to do on this page
          autoFocus
          aria-describedby={`${id}-problem`}
          aria-invalid={problem !== ''}
        />
        <button type="submit" className="button" disabled={name.trim() === '' || busy}>
          Start talking
        </button>
        <p id={`${id}-problem`} className="sign-in-problem" role="alert">
          {problem}
        </p>
        <p className="sign-in-hint">
          Then stop the server and write on: what you say waits, and arrives once when it is back.
        </p>
      </form>
    </main>
  )
}
