module.exports = { apps: [{ name: 'servidor-automacao', script: 'server.js', instances: 1, exec_mode: 'fork',
  autorestart: true, max_restarts: 10, min_uptime: '10s', restart_delay: 4000, max_memory_restart: '500M',
  error_file: './logs/pm2-error.log', out_file: './logs/pm2-out.log', log_date_format: 'YYYY-MM-DD HH:mm:ss Z', merge_logs: true,
  env: { NODE_ENV: 'production', PORT: 3000 }, watch: false, ignore_watch: ['node_modules', 'logs', '.git'],
  exp_backoff_restart_delay: 100, kill_timeout: 5000, listen_timeout: 3000, cron_restart: '0 3 * * *',

  // What PM2 does not have. Looked at every 5 s here, so that breaking it is quick to watch; the
  // default is 30 s.
  health: { http: 'http://127.0.0.1:3000/health', interval: '5s', timeout: '2s', failure_threshold: 2 } }] }
