module.exports = {
  apps: [{
    name: 'next-site',
    cwd: '/var/www/site',
    script: 'node_modules/next/dist/bin/next',
    args: 'start -p 3001',
    instances: 2,
    exec_mode: 'cluster',
    env: { NODE_ENV: 'production' },
  }],
};
