module.exports = {
  apps: [
    { name: 'NuxtApp', port: '3000', exec_mode: 'cluster', instances: 'max', script: './.output/server/index.mjs' },
  ],
};
