require('dotenv').config({ path: './.env' });

module.exports = {
  apps: [{
    name: 'bot',
    script: 'bot.js',
    env: { BOT_TOKEN: process.env.BOT_TOKEN, PREFIX: process.env.PREFIX },
  }],
};
