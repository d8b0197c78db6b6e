module.exports = {
  apps: [
    { name: 'clean', script: 'a.js', filter_env: true, env: { PATH: '/usr/bin' } },
    { name: 'partly', script: 'a.js', filter_env: ['REACT_APP_', 'AWS'] },
    { name: 'one', script: 'a.js', filter_env: 'API_KEY' },
  ],
};
