// What zelador keeps alive. Check it with `zelador config check ecosystem.config.js`,
// start it with `zelador start ecosystem.config.js`.
module.exports = {
  apps: [{
    // How it is called in the list, in log files, and by `zelador restart app`.
    name: 'app',

    // What is executed: a file (its extension tells the interpreter), a program in PATH, or a
    // command with spaces, which a shell runs.
    script: './app.js',
    // args: '--port 3000',
    // interpreter: 'node',
    // cwd: '/srv/app',

    // Variables of the app; `zelador start ecosystem.config.js --env production` lays
    // `env_production` over them.
    env: {
      NODE_ENV: 'development',
    },
    env_production: {
      NODE_ENV: 'production',
    },

    // So many processes; with exec_mode 'cluster' they share their port.
    // instances: 2,
    // exec_mode: 'cluster',

    // What follows a death: wait 100 ms, half as long again each time, up to 15 s; after 16 runs in
    // a row that were shorter than min_uptime it is given up, and tried again after a minute.
    exp_backoff_restart_delay: 100,
    max_restarts: 16,
    min_uptime: '1s',
    // Give it up, too, when it was restarted max_restarts times within this time.
    // restart_window: '10m',

    // Restart it gracefully above this memory, its child processes included.
    max_memory_restart: '500M',

    // How it is asked to end, and how long that may take.
    kill_signal: 'SIGTERM',
    kill_timeout: '5s',

    // Restart it by the clock: every day at three.
    // cron_restart: '0 3 * * *',

    // Look at it regularly; when it does not answer, gather evidence and heal it.
    // health: { http: 'http://127.0.0.1:3000/healthz', interval: '10s' },

    // What must be well before it is blamed: other apps, or databases named below.
    // depends_on: ['main'],

    // Where its output goes; by default $ZELADOR_HOME/logs/NAME-out.log and NAME-error.log.
    // out_file: './logs/out.log',
    // error_file: './logs/error.log',
    // time: true,
  }],

  // Settings of zelador itself.
  // zelador: {
  //   databases: { main: { url: 'mysql://user:password@127.0.0.1:3306/shop' } },
  // },
};
