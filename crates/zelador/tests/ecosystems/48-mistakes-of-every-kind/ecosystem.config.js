module.exports = {
  apps: [
    { name: 'api', script: 'a.js', max_memory_restart: 'lots', autorestart: 'maybe', cron_restart: '99 * * * *' },
    { name: 'api', script: 'b.js', instence: 2, exec_mode: 'clustered' },
    { name: 'x', script: 'x.js', depends_on: ['y', 'ghost'], increment_var: 'PORT' },
    { name: 'y', script: 'y.js', depends_on: ['x'] },
  ],
};
