module.exports = {
  apps: [
    { name: 'dev', script: 'npm run dev' },
    { name: 'front', script: 'cd front && yarn start', cwd: '/srv' },
    { name: 'tail', script: 'tail -f /var/log/syslog | grep error' },
  ],
};
