exports.config = ({ path }) => {
  for (const line of require('fs').readFileSync(path, 'utf8').split('\n')) {
    const [name, value] = line.split('=');
    if (value !== undefined) process.env[name] ??= value;
  }
};
