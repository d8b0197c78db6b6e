// Prints what a file exports between two marks. Arguments: the file, the mark.
const [file, mark] = process.argv.slice(-2);
process.argv = [process.argv[0], 'zelador', file];
// `node -e` makes these global, where an ES module would find them.
const load = require;
for (const name of ['require', 'module', 'exports', '__filename', '__dirname']) delete globalThis[name];
console.log = console.info = console.debug = console.error;

function answer(outcome) {
  const { writeSync } = load('node:fs');
  let rest = Buffer.from(mark + JSON.stringify({ outcome }) + mark);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
  process.reallyExit(0);
}

function threw(error) {
  const message = error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : `threw ${String(error)}`;
  answer({ threw: { message, stack: String((error && error.stack) || '') } });
}

// JSON writes a number that is none as null, which is no value at all: as a text it is one that is refused.
function inWords(key, value) {
  return typeof value === 'number' && !Number.isFinite(value) ? `${value}` : value;
}

function outcome(exports) {
  const isModule = Object.prototype.toString.call(exports) === '[object Module]';
  if (isModule) {
    const named = exports.apps !== undefined || exports.pm2 !== undefined;
    const keys = Object.keys(exports).filter((key) => key !== 'default' && key !== 'module.exports');
    exports = named || !('default' in exports) ? Object.fromEntries(keys.map((key) => [key, exports[key]])) : exports.default;
  }
  if (exports === null || exports === undefined) return 'nothing';
  if (typeof exports !== 'object') return { 'no-object': `a ${typeof exports}` };
  if (typeof exports.then === 'function') return { 'no-object': 'a promise' };
  if (!Array.isArray(exports) && Object.keys(exports).length === 0) return 'nothing';
  return { exports: JSON.stringify(exports, inWords) };
}

process.on('exit', () => threw(new Error('process.exit was called')));
async function main() {
  let exports;
  try {
    exports = load(file);
  } catch (error) {
    const isModule = error && (error.code === 'ERR_REQUIRE_ESM' || error.code === 'ERR_REQUIRE_ASYNC_MODULE');
    if (!isModule) throw error;
    exports = await import(load('node:url').pathToFileURL(file).href);
  }
  answer(outcome(exports));
}
main().catch(threw);
