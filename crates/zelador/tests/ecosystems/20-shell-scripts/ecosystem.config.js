module.exports = {
  apps: [
    { name: 'backup', script: './backup.sh' },
    { name: 'sync', script: 'sync', interpreter: 'bash', interpreter_args: '-e' },
    { name: 'tunnel', script: 'ssh', args: '-N -L 5432:localhost:5432 db.example.com', autorestart: true },
  ],
};
