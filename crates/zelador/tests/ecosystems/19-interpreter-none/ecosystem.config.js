module.exports = {
  apps: [
    { name: 'go', script: './bin/server', interpreter: 'none', args: '-addr :8080' },
    { name: 'rust', script: '/usr/local/bin/exporter', exec_interpreter: 'none' },
    { name: 'java', script: 'java', args: ['-Xmx512m', '-jar', 'app.jar'], interpreter: 'none' },
  ],
};
