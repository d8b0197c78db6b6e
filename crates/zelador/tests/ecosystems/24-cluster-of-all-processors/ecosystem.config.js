module.exports = {
  apps: [{
    name: 'all-processors',
    script: './dist/main.js',
    instances: 'max',
    exec_mode: 'cluster',
    wait_ready: true,
    listen_timeout: 10000,
    kill_timeout: 5000,
  }],
};
