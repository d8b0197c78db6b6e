//! The same app in every format, and a file that uses much of Node.

pub const OBJECT: &str = r"{ apps: [{ name: 'servidor-automacao', script: 'server.js', instances: 1, exec_mode: 'fork',
  autorestart: true, max_restarts: 10, min_uptime: '10s', restart_delay: 4000, max_memory_restart: '500M',
  error_file: './logs/pm2-error.log', out_file: './logs/pm2-out.log', log_date_format: 'YYYY-MM-DD HH:mm:ss Z', merge_logs: true,
  env: { NODE_ENV: 'production', PORT: 3000 }, watch: false, ignore_watch: ['node_modules', 'logs', '.git'],
  exp_backoff_restart_delay: 100, kill_timeout: 5000, listen_timeout: 3000, cron_restart: '0 3 * * *' }] }";

pub const YAML: &str = "apps:
  - name: servidor-automacao
    script: server.js
    instances: 1
    exec_mode: fork
    autorestart: true
    max_restarts: 10
    min_uptime: 10s
    restart_delay: 4000
    max_memory_restart: 500M
    error_file: ./logs/pm2-error.log
    out_file: ./logs/pm2-out.log
    log_date_format: YYYY-MM-DD HH:mm:ss Z
    merge_logs: true
    env: &env
      NODE_ENV: production
      PORT: 3000
    watch: false
    ignore_watch: [node_modules, logs, .git]
    exp_backoff_restart_delay: 100
    kill_timeout: 5000
    listen_timeout: 3000
    cron_restart: 0 3 * * *
";

pub const TOML: &str = r#"[[apps]]
name = "servidor-automacao"
script = "server.js"
instances = 1
exec_mode = "fork"
autorestart = true
max_restarts = 10
min_uptime = "10s"
restart_delay = 4_000
max_memory_restart = "500M"
error_file = "./logs/pm2-error.log"
out_file = "./logs/pm2-out.log"
log_date_format = "YYYY-MM-DD HH:mm:ss Z"
merge_logs = true
env = { NODE_ENV = "production", PORT = 3000 }
watch = false
ignore_watch = ["node_modules", "logs", ".git"]
exp_backoff_restart_delay = 100
kill_timeout = 5000
listen_timeout = 3000
cron_restart = "0 3 * * *"
"#;

/// Uses most of what such files use of node.
pub const RICH: &str = r"#!/usr/bin/env node
const path = require('path'), os = require('node:os');
const { readFileSync, existsSync } = require('fs');
const { version, name } = require('./package.json');
const shared = require('./lib/shared');
const env = { HOME_DIR: os.homedir(), CWD: process.cwd(), NODE: process.env.MARK ?? 'none', PLATFORM: process.platform };
console.log('reading', __filename);
const app = (name, extra = {}) => ({ name: `${name}-${version}`, script: path.join(__dirname, 'src', `${name}.js`), ...shared.base, ...extra });
module.exports = {
  apps: ['api', 'worker'].map((role, i) => app(role, {
    env: { ...env, INDEX: i, TEXT: readFileSync('note.txt', 'utf8').trim(), JSON: { deep: [1, name] } },
    instances: Math.min(os.cpus().length, 2), exec_mode: 'fork',
    args: existsSync('./note.txt') ? ['--note', path.resolve('note.txt')] : undefined,
    cwd: path.dirname(path.relative('/', __dirname) ? __filename : '/'), log_date_format: /x/.test('x') ? 'HH' : null, on: undefined,
    post: undefined, fn() {}, max_memory_restart: os.totalmem() > 0 ? '1G' : 0, out_file: path.format(path.parse('/var/log/a.log')),
    ext: undefined, namespace: path.basename('/a/b.js', '.js') + path.extname('x.tar.gz'),
  })),
};
";
