import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  // Relative addresses: the page also works behind a proxy that serves it under a prefix.
  base: './',
  plugins: [react()],
  server: { proxy: { '/v1': 'http://127.0.0.1:8080' } },
  build: {
    target: 'es2023',
    outDir: '../mintage/serve/static',
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The licences of React, marked and the others travel with the copies of them that the wheel holds.
    license: { fileName: 'licences.md' },
    // Fixed names: a rebuild then shows as a change of a file, never as a new one, to `git diff --exit-code`.
    rolldownOptions: {
      output: {
        entryFileNames: 'page.js',
        chunkFileNames: '[name].js',
        assetFileNames: 'page[extname]',
      },
    },
  },
})
