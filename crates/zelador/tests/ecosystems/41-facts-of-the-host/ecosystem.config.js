const os = require('os');
const fs = require('fs');
const secrets = JSON.parse(fs.readFileSync(__dirname + '/secrets.json', 'utf8'));

module.exports = {
  apps: [{
    name: 'host',
    script: 'a.js',
    instances: Math.min(os.cpus().length, 1),
    env: { ...secrets, EXISTS: fs.existsSync('./nope') ? 1 : 0, PLATFORM: os.platform() },
  }],
};
