// What an ecosystem file may use of node: modules, process, console, and path, os, fs, url.
//
// Evaluated first, as a function of `native` (functions and facts that Rust hands in). Answers
// the functions by which Rust starts a file and the module loader asks. Whatever only node has is
// written down in `unmet`, also when the file catches the error.
(function (native) {
  'use strict';
  const { facts } = native;
  const unmet = [];
  const loaded = Object.create(null);

  function failure(code, message, type = Error) {
    return Object.assign(new type(message), { code });
  }

  function needsNode(name) {
    if (!unmet.includes(name)) unmet.push(name);
    return failure('MODULE_NOT_FOUND', `Cannot find module '${name}'`);
  }

  // --- path -------------------------------------------------------------------------------

  function normalizeParts(path, absolute) {
    const parts = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
      else if (!absolute) parts.push('..');
    }
    return parts.join('/');
  }

  function text(value, name) {
    if (typeof value === 'string') return value;
    const message = `The "${name}" argument must be of type string. Received ${typeof value}`;
    throw failure('ERR_INVALID_ARG_TYPE', message, TypeError);
  }

  const path = {
    sep: '/',
    delimiter: ':',
    isAbsolute: (path) => text(path, 'path').startsWith('/'),
    normalize(path) {
      if (text(path, 'path') === '') return '.';
      const absolute = path.startsWith('/');
      let normal = normalizeParts(path, absolute);
      if (normal === '' && !absolute) normal = '.';
      if (normal !== '' && path.endsWith('/')) normal += '/';
      return (absolute ? '/' : '') + normal;
    },
    join(...parts) {
      const joined = parts.map((part) => text(part, 'path')).filter((part) => part !== '').join('/');
      return joined === '' ? '.' : path.normalize(joined);
    },
    resolve(...parts) {
      let whole = '';
      for (const part of [facts.cwd, ...parts]) {
        if (text(part, 'path') !== '') whole = part.startsWith('/') ? part : `${whole}/${part}`;
      }
      return '/' + normalizeParts(whole, true);
    },
    dirname(path) {
      const end = text(path, 'path').replace(/(.)\/+$/, '$1').replace(/[^/]*$/, '');
      if (end === '') return path.startsWith('/') ? '/' : '.';
      return end.replace(/(.)\/+$/, '$1');
    },
    basename(path, suffix) {
      const base = text(path, 'path').replace(/\/+$/, '').replace(/^.*\//, '');
      const cut = suffix !== undefined && base !== suffix && base.endsWith(suffix);
      return cut ? base.slice(0, -suffix.length) : base;
    },
    extname(path) {
      const base = this.basename ? this.basename(path) : '';
      const dot = base.lastIndexOf('.');
      return dot <= 0 ? '' : base.slice(dot);
    },
    relative(from, to) {
      const a = path.resolve(from).split('/').filter(Boolean);
      const b = path.resolve(to).split('/').filter(Boolean);
      let same = 0;
      while (same < a.length && same < b.length && a[same] === b[same]) same += 1;
      return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/');
    },
    parse(path) {
      const base = this.basename(path);
      const ext = this.extname(path);
      const root = path.startsWith('/') ? '/' : '';
      const folder = path.includes('/') ? this.dirname(path) : '';
      return { root, dir: folder, base, ext, name: base.slice(0, base.length - ext.length) };
    },
    format(parts) {
      const base = parts.base ?? (parts.name ?? '') + (parts.ext ?? '');
      const folder = parts.dir ?? parts.root ?? '';
      return folder === '' ? base : folder === parts.root ? folder + base : `${folder}/${base}`;
    },
    toNamespacedPath: (path) => path,
  };
  path.extname = path.extname.bind(path);
  path.parse = path.parse.bind(path);
  path.posix = path;

  // --- os, fs, url --------------------------------------------------------------------------

  const cpu = { model: 'unknown', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } };
  const os = {
    EOL: '\n',
    arch: () => facts.arch,
    availableParallelism: () => facts.cores,
    cpus: () => Array.from({ length: facts.cores }, () => ({ ...cpu, times: { ...cpu.times } })),
    endianness: () => 'LE',
    freemem: () => facts.freemem,
    homedir: () => facts.homedir,
    hostname: () => facts.hostname,
    loadavg: () => facts.loadavg,
    platform: () => 'linux',
    release: () => facts.release,
    tmpdir: () => facts.tmpdir,
    totalmem: () => facts.totalmem,
    type: () => 'Linux',
    uptime: () => facts.uptime,
    userInfo: () => ({
      uid: facts.uid, gid: facts.gid, username: facts.username, homedir: facts.homedir,
      shell: facts.env.SHELL ?? null,
    }),
  };

  function filePath(path) {
    if (path !== null && typeof path === 'object' && typeof path.href === 'string') path = path.href;
    return text(path, 'path').startsWith('file://') ? url.fileURLToPath(path) : path;
  }

  function noEntry(call, path) {
    return failure('ENOENT', `ENOENT: no such file or directory, ${call} '${path}'`);
  }

  function stat(path) {
    const kind = native.kind(filePath(path));
    if (kind === '') throw noEntry('stat', path);
    return { isFile: () => kind === 'file', isDirectory: () => kind === 'folder' };
  }

  const fs = {
    // Always text: what is done with a Buffer in such a file (toString, JSON.parse) works on it.
    readFileSync: (path) => native.read(filePath(path)),
    existsSync(path) {
      try {
        return native.kind(filePath(path)) !== '';
      } catch {
        return false;
      }
    },
    accessSync(path) {
      if (native.kind(filePath(path)) === '') throw noEntry('access', path);
    },
    readdirSync: (path) => native.list(filePath(path)),
    realpathSync: (path) => native.real(filePath(path)),
    statSync: (path, options) => {
      if (options?.throwIfNoEntry === false && !fs.existsSync(path)) return undefined;
      return stat(path);
    },
    lstatSync: stat,
    constants: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 },
  };

  const url = {
    fileURLToPath(address) {
      const href = typeof address === 'object' ? address.href : address;
      return decodeURIComponent(text(href, 'path').replace(/^file:\/\//, ''));
    },
    pathToFileURL(file) {
      const href = 'file://' + encodeURI(path.resolve(file)).replace(/[?#]/g, encodeURIComponent);
      return { href, pathname: href.slice(7), protocol: 'file:', toString: () => href };
    },
  };

  // Only as much of it as `new URL('.', import.meta.url)` needs.
  globalThis.URL = class URL {
    constructor(relative, base) {
      const isFile = String(relative).startsWith('file://');
      if (!isFile && !String(base).startsWith('file://')) throw needsNode('URL');
      const start = isFile ? '' : path.dirname(url.fileURLToPath(String(base)) + '\0') + '/';
      const whole = isFile ? url.fileURLToPath(String(relative)) : start + decodeURIComponent(relative);
      const folder = /(^|\/)\.{0,2}$/.test(whole) ? '/' : '';
      const resolved = path.resolve(whole.replace(/\0/g, ''));
      this.href = url.pathToFileURL(resolved).href + (resolved === '/' ? '' : folder);
      this.pathname = this.href.slice(7);
      this.protocol = 'file:';
    }
    toString() {
      return this.href;
    }
  };

  // --- process, console -----------------------------------------------------------------------

  const nothing = () => {};
  const process = {
    env: facts.env,
    argv: facts.argv,
    execArgv: [],
    execPath: facts.argv[0],
    platform: 'linux',
    arch: facts.arch,
    pid: facts.pid,
    title: 'zelador',
    version: 'v22.0.0',
    versions: { node: '22.0.0' },
    release: { name: 'node' },
    exitCode: undefined,
    cwd: () => facts.cwd,
    getuid: () => facts.uid,
    getgid: () => facts.gid,
    uptime: () => 0,
    exit(code) {
      throw failure('EXIT', `process.exit(${code ?? ''}) was called`);
    },
    emitWarning: (warning) => console.warn(String(warning)),
  };
  for (const name of ['on', 'once', 'off', 'addListener', 'removeListener']) {
    process[name] = () => process;
  }
  globalThis.process = process;
  globalThis.global = globalThis;

  function shown(value) {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
    try {
      return JSON.stringify(value) ?? String(value);
    } catch {
      return String(value);
    }
  }
  const log = (...values) => native.log(values.map(shown).join(' '));
  globalThis.console = { log, info: log, warn: log, error: log, debug: log, trace: log, dir: log };
  for (const name of ['table', 'group', 'groupEnd', 'time', 'timeEnd', 'assert']) {
    console[name] = name === 'table' ? log : nothing;
  }
  // Nothing that happens later can change what a file exports.
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
    globalThis[name] = () => ({ unref: nothing, ref: nothing });
  }
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) {
    globalThis[name] = nothing;
  }
  // Looking at them is allowed (`typeof fetch`); what they do, only node can.
  for (const name of ['Buffer', 'fetch', 'structuredClone', 'TextEncoder', 'TextDecoder', 'URLSearchParams', 'Intl', 'crypto']) {
    if (name in globalThis) continue;
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        needsNode(name);
        return undefined;
      },
      set(value) {
        Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
      },
    });
  }

  // --- modules --------------------------------------------------------------------------------

  // What is missing in one of these is asked of node.
  function partial(name, module) {
    return new Proxy(module, {
      get(target, key) {
        if (typeof key === 'string' && !(key in target) && !['default', 'then', '__esModule', 'toJSON'].includes(key)) {
          needsNode(`${name}.${key}`);
        }
        return target[key];
      },
    });
  }
  const builtins = {
    path, os: partial('os', os), fs: partial('fs', fs), url: partial('url', url), process,
    'path/posix': path,
    module: { createRequire: (from) => requireFrom(path.dirname(filePath(from))) },
  };

  function builtin(name) {
    const bare = name.replace(/^node:/, '');
    return Object.hasOwn(builtins, bare) ? builtins[bare] : undefined;
  }

  function isPath(name) {
    return name === '.' || name === '..' || /^(\.{0,2}\/|file:)/.test(name);
  }

  // The file that a relative name means: itself, with an extension, or the main one of a folder.
  function find(folder, name) {
    const base = path.resolve(folder, filePath(name));
    const candidates = [base, `${base}.js`, `${base}.json`, `${base}.cjs`, `${base}.mjs`];
    for (const file of candidates) {
      if (native.kind(file) === 'file') return native.real(file);
    }
    if (native.kind(base) === 'folder') {
      const manifest = `${base}/package.json`;
      const main = native.kind(manifest) === 'file' && JSON.parse(native.read(manifest)).main;
      const inside = main && main !== '.' ? [`${base}/${main}`, `${base}/${main}.js`, `${base}/${main}/index.js`] : [];
      for (const file of [...inside, `${base}/index.js`, `${base}/index.json`]) {
        if (native.kind(file) === 'file') return native.real(path.normalize(file));
      }
    }
    throw failure('MODULE_NOT_FOUND', `Cannot find module '${name}' (looked for ${base})`);
  }

  function requireFrom(folder) {
    const require = (name) => {
      if (!isPath(text(name, 'id'))) {
        const found = builtin(name);
        if (found !== undefined) return found;
        throw needsNode(name);
      }
      return load(find(folder, name));
    };
    require.resolve = (name) => {
      if (isPath(name)) return find(folder, name);
      if (builtin(name) !== undefined) return name;
      throw needsNode(name);
    };
    require.cache = Object.create(null);
    require.main = undefined;
    return require;
  }

  const MODULE_SYNTAX = /^[ \t]*(export\b|import\b(?!\s*[(.]))/m;

  const PARAMETERS = '(function (exports, require, module, __filename, __dirname) { ';
  const wrapped = [];

  // Compiles as node's CommonJS; answers undefined for a file that is an ES module.
  function compile(file, source) {
    wrapped.push(file);
    const body = source.replace(/^#!.*/, '');
    try {
      return native.compile(`${PARAMETERS}${body}\n})`, file);
    } catch (error) {
      if (file.endsWith('.js') && MODULE_SYNTAX.test(source)) {
        wrapped.pop();
        return undefined;
      }
      throw error;
    }
  }

  // `text` stands for what the file holds, and is CommonJS whatever the file is called.
  function load(file, text) {
    if (loaded[file] !== undefined) return loaded[file].exports;
    const module = { exports: {}, id: file, filename: file, loaded: false, children: [], paths: [] };
    loaded[file] = module;
    try {
      const source = text ?? native.read(file);
      if (text === undefined && file.endsWith('.json')) {
        module.exports = json(file, source);
      } else {
        const run = file.endsWith('.mjs') ? undefined : compile(file, source);
        if (run === undefined) {
          module.exports = native.import(file);
        } else {
          const folder = path.dirname(file);
          module.require = requireFrom(folder);
          module.untouched = module.exports;
          run.call(module.exports, module.exports, module.require, module, file, folder);
        }
      }
    } catch (error) {
      delete loaded[file];
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  function json(file, source) {
    try {
      return JSON.parse(source.replace(/^\ufeff/, ''));
    } catch (error) {
      throw failure('JSON', `${file}: ${error.message}`, SyntaxError);
    }
  }

  // --- what Rust asks -------------------------------------------------------------------------

  function resolve(from, name) {
    if (!isPath(name)) {
      if (builtin(name) === undefined) throw needsNode(name);
      return 'node:' + name.replace(/^node:/, '');
    }
    return find(path.dirname(from), name);
  }

  // The source of an ES module; for what is none, one that hands its exports on.
  function source(name) {
    const found = builtin(name);
    if (found === undefined) {
      const code = name.endsWith('.json') ? undefined : native.read(name);
      if (code !== undefined && (name.endsWith('.mjs') || (name.endsWith('.js') && compile(name, code) === undefined))) {
        return code.replace(/^#!.*/, '');
      }
    }
    const exports = found ?? load(name);
    const isName = (key) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default';
    const names = Object.keys(Object(exports)).filter(isName);
    const id = JSON.stringify(name);
    // `as` takes reserved words too, which `export const` would not.
    const lines = names.map((key, index) => `const v${index} = m[${JSON.stringify(key)}]; export { v${index} as ${key} };`);
    return `const m = globalThis[Symbol.for('zelador')](${id}); export default m; ${lines.join(' ')}`;
  }

  Object.defineProperty(globalThis, Symbol.for('zelador'), {
    value: (name) => builtin(name) ?? load(name),
  });

  function kindOf(exports) {
    if (exports === null || exports === undefined) return String(exports);
    if (typeof exports !== 'object') return `a ${typeof exports}`;
    return typeof exports.then === 'function' ? 'a promise' : '';
  }

  // An ES module exports `apps` by name, or all of it as default.
  function exported(exports) {
    if (Object.prototype.toString.call(exports) !== '[object Module]') return exports;
    if (exports.apps === undefined && exports.pm2 === undefined && 'default' in exports) return exports.default;
    return { ...exports, default: undefined };
  }

  // JSON writes a number that is none as null, which is no value at all: as a text it is one that is refused.
  function inWords(key, value) {
    return typeof value === 'number' && (value !== value || value === Infinity || value === -Infinity) ? `${value}` : value;
  }

  function start(file, text) {
    const exports = exported(load(file, text));
    const untouched = loaded[file].untouched;
    if (exports === undefined || (exports === untouched && Object.keys(exports).length === 0)) {
      return JSON.stringify('nothing');
    }
    const kind = kindOf(exports);
    if (kind !== '') return JSON.stringify({ 'no-object': kind });
    return JSON.stringify({ exports: JSON.stringify(exports, inWords) });
  }

  // The first line of a wrapped file begins after the parameters.
  function straighten(stack) {
    for (const file of wrapped) {
      const column = (at) => Math.max(1, Number(at) - PARAMETERS.length);
      stack = stack.split(`${file}:1:`).map((part, index) => {
        return index === 0 ? part : part.replace(/^\d+/, column);
      }).join(`${file}:1:`);
    }
    return stack;
  }

  return { start, resolve, source, straighten, unmet: () => JSON.stringify(unmet) };
});
