module.exports = [{
  name: 'nest-api',
  script: 'dist/main.js',
  node_args: '--max-old-space-size=1024 --enable-source-maps',
  source_map_support: true,
  max_memory_restart: '1G',
  ignore_watch: ['node_modules'],
}];
