const pkg = require('./package.json');
module.exports = { apps: [{ name: pkg.name, script: 'index.js' }] };
