export const apps = [
  { name: 'front', script: 'server/index.js', env: { PORT: 3000 } },
];
