module.exports = {
  apps: [
    { name: 'dated', script: 'a.js', log_date_format: 'YYYY-MM-DD HH:mm Z', merge_logs: true },
    { name: 'timed', script: 'a.js', time: true, instances: 2, exec_mode: 'fork' },
    { name: 'own', script: 'a.js', error_file: './logs/err.log', out_file: '/dev/null', log_file: 'logs/all.log' },
    { name: 'none', script: 'a.js', out_file: 'NULL', error_file: 'NULL' },
    { name: 'off', script: 'a.js', disable_logs: true },
  ],
};
