module.exports = {
  apps: [{
    name: 'sparse',
    script: 'a.js',
    args: undefined,
    cwd: null,
    instances: undefined,
    error_file: null,
    env: { SET: 0, EMPTY: '', UNSET: undefined, NOTHING: null, NESTED: { a: [1, 2] } },
  }],
};
