module.exports = {
  apps: [{
    name: 'sockets',
    script: 'ws.js',
    instances: 3,
    exec_mode: 'fork',
    increment_var: 'PORT',
    instance_var: 'INSTANCE_ID',
    env: { PORT: 3000, NODE_ENV: 'production' },
  }],
};
