module.exports = {
  apps: [
    { name: 'npm', script: 'npm', args: 'start' },
    { name: 'npm-run', script: 'npm', args: ['run', 'start:prod', '--', '--port=80'] },
    { name: 'yarn', script: 'yarn', args: 'workspace api start', interpreter: '/bin/bash' },
    { name: 'pnpm', script: 'pnpm', args: 'start', interpreter: 'none' },
    { name: 'npx', script: 'npx', args: 'http-server ./public -p 9000' },
  ],
};
