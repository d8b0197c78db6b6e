const path = require('path');
const services = { auth: 5001, billing: 5002, catalog: 5003 };

module.exports = {
  apps: Object.entries(services).map(([name, port]) => ({
    name,
    namespace: 'shop',
    cwd: path.join(__dirname, 'services', name),
    script: 'dist/index.js',
    env: { PORT: port },
    out_file: path.resolve(__dirname, 'logs', `${name}.log`),
    depends_on: name === 'auth' ? [] : ['auth'],
  })),
};
