'use strict';

const port = process.env.API_PORT || 8080;
const user = process.env.USER ?? 'nobody';

module.exports = {
  apps: [{
    name: process.env.APP_NAME || `api-${user}`,
    script: 'server.js',
    instances: process.env.WEB_CONCURRENCY || 1,
    env: { PORT: port, HOME_DIR: process.env.HOME, DEBUG: process.env.DEBUG },
  }],
};
