module.exports = {
  apps: [{
    name: 'careful',
    script: 'server.js',
    max_restarts: 10,
    min_uptime: '20s',
    restart_delay: 4000,
    restart_window: '10m',
    max_memory_restart: '150M',
    kill_timeout: 3000,
    kill_retry_time: 50,
    treekill: false,
    vizion: false,
    pmx: false,
  }],
};
