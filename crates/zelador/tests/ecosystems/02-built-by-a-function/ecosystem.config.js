const app = (name, port, extra = {}) => ({
  name,
  script: `./services/${name}/index.js`,
  env: { PORT: port, SERVICE: name },
  ...extra,
});

module.exports = {
  apps: [app('auth', 4001), app('mail', 4002, { autorestart: false }), app('web', 4003)],
};
