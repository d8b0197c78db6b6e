module.exports = {
  apps: [
    { name: 'tsx', script: 'src/main.ts', interpreter: 'tsx' },
    { name: 'bun', script: 'src/main.ts', interpreter: 'bun', env: { PATH: '/home/ana/.bun/bin:/usr/bin' } },
    { name: 'ts-node', script: './node_modules/.bin/ts-node', args: '-P tsconfig.json src/main.ts' },
    { name: 'loader', script: 'src/main.ts', node_args: ['--import', 'tsx'] },
  ],
};
