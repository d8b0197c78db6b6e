module.exports = {
  apps: [
    {
      name: 'my-app',
      script: './app.js',
      watch: false,
      env: { NODE_ENV: 'development' },
      env_production: { NODE_ENV: 'production' },
    },
  ],
};
