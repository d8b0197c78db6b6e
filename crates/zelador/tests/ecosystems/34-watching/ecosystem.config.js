module.exports = {
  apps: [{
    name: 'watched',
    script: './bin/www',
    interpreter: 'node',
    watch: ['server', 'client'],
    watch_delay: 1000,
    ignore_watch: ['node_modules', 'client/img', '\\.git', '*.log'],
    watch_options: { followSymlinks: false, usePolling: true },
  }],
};
