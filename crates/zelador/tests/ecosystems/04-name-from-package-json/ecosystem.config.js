const { name, version, main } = require('./package.json');

module.exports = {
  apps: [{ name: `${name}@${version}`, script: main, exec_mode: 'fork' }],
};
