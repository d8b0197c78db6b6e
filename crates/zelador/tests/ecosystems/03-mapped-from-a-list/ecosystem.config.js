const queues = ['emails', 'images', 'reports'];

module.exports = {
  apps: queues.map((queue, index) => ({
    name: `worker-${queue}`,
    namespace: 'workers',
    script: 'worker.js',
    args: ['--queue', queue, '--slot', index],
    instances: 1,
  })),
};
