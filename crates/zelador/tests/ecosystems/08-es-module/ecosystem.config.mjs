import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

export default {
  apps: [{ name: 'esm', script: path.join(here, 'src', 'index.mjs'), env: { EOL: os.EOL === '\n' } }],
};
