import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** `vite build examples/chat/page` writes what the server serves. */
export default defineConfig({
  plugins: [react()],
  build: { outDir: '../build/page', emptyOutDir: true },
})
