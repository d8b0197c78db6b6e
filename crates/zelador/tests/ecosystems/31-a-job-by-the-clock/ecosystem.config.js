module.exports = {
  apps: [{
    name: 'nightly',
    script: 'report.js',
    cron_restart: '0 3 * * *',
    autorestart: false,
    instances: 1,
    stop_exit_codes: [0, 3],
  }],
};
