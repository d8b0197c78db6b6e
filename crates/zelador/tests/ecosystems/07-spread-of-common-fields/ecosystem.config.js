const common = {
  cwd: __dirname,
  max_memory_restart: '300M',
  exp_backoff_restart_delay: 100,
  env: { NODE_ENV: 'production', TZ: 'America/Sao_Paulo' },
};

module.exports = {
  apps: [
    { ...common, name: 'api', script: 'dist/api.js' },
    { ...common, name: 'jobs', script: 'dist/jobs.js', env: { ...common.env, WORKERS: 2 } },
  ],
};
