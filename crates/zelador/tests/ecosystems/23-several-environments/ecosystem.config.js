module.exports = {
  apps: [{
    name: 'api',
    script: 'dist/main.js',
    append_env_to_name: true,
    env: { PORT: 3000 },
    env_staging: { NODE_ENV: 'staging', API_URL: 'https://staging.example.com' },
    env_production: { NODE_ENV: 'production', API_URL: 'https://example.com', CACHE: true },
  }],
};
