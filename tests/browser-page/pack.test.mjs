// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the client becomes one file: what src/web/pack.py puts together, and what it refuses rather than breaks.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const packer = fileURLToPath(new URL('../../src/web/pack.py', import.meta.url));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-pack-'));
after(() => fs.rmSync(scratch, { recursive: true }));

let made = 0;
// Packs `entry`, which has `modules` in the folder parts.
function pack(entry, modules = {}) {
  const folder = path.join(scratch, String((made += 1)));
  const licensed = (text) => `// SPDX-License-Identifier: LGPL-2.1-or-later\n${text}\n`;
  fs.mkdirSync(path.join(folder, 'parts'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'entry.js'), licensed(entry));
  for (const [name, text] of Object.entries(modules)) {
    fs.writeFileSync(path.join(folder, 'parts', name), licensed(text));
  }
  const args = [packer, 'entry.js', 'packed.mjs', 'packed.d'];
  const { status, stderr } = spawnSync('python3', args, { cwd: folder, encoding: 'utf8' });
  const read = (name) => (status === 0 ? fs.readFileSync(path.join(folder, name), 'utf8') : null);
  return { stderr, packed: read('packed.mjs'), depends: read('packed.d'), folder };
}

const load = ({ stderr, folder }) => {
  assert.equal(stderr, '');
  return import(path.join(folder, 'packed.mjs'));
};

test('modules of a folder become one, which has the names that were passed on', async () => {
  const result = pack(
    "/** What it is. */\nexport { twice } from './parts/a.js';\nexport { ONE } from './parts/b.js';",
    {
      'a.js': `import { ONE, plus } from './b.js';
// Why.
export const twice = (number) => plus(plus(number, number), 0 * ONE); // Twice.`,
      'b.js': `export const ONE = 1;

/** Adds. */
export function plus(a, b) {
  return a + b;
}

export class Unused {}`,
    },
  );
  const module = await load(result);
  assert.deepEqual({ ...module, twice: module.twice(3) }, { ONE: 1, twice: 6 });
  assert.equal(result.packed.match(/SPDX/g).length, 1);
  assert.doesNotMatch(result.packed, /Why|Adds|Twice|What/);
  // What has to be packed again, and when.
  assert.equal(result.depends, 'packed.mjs: entry.js parts/a.js parts/b.js\n');
});

test('strings and regular expressions stay as they are, and what is beside the script outside', async () => {
  const lines = [
    "export const texts = ['a = b', 'http://c // d', \"e = f\", `g = ${1 + 1} // h`];",
    'export const pattern = / = /; // i',
    'export const quotient = 12 / 4 / 3; // j = k',
    'export const negative = (number) => 1 - -number - - -number;',
    'export const either = (number) => (number > 0 ? .5 : 0) || number * 2;',
  ];
  const { texts, pattern, quotient, negative, either } = await load(pack(lines.join('\n')));
  assert.deepEqual(texts, ['a = b', 'http://c // d', 'e = f', 'g = 2 // h']);
  assert.ok(pattern.test('a = b'));
  assert.deepEqual([quotient, negative(5), either(1), either(-1)], [1, 1, 0.5, -2]);
  const { packed } = pack("import { other } from './other.js';\nother();");
  assert.match(packed, /^import \{ other \} from '\.\/other\.js';$/m);
});

test('a file beside the script is found from where the script is', () => {
  const beside = {
    'a.js': "export const a = () => new URL('../worker.js', import.meta.url);",
    '../worker.js': 'postMessage(1);',
  };
  const { packed } = pack("export { a } from './parts/a.js';", beside);
  assert.match(packed, /new URL\('\.\/worker\.js', import\.meta\.url\)/);
});

const passOn = "export { a } from './parts/a.js';";
const refusals = {
  'one name in two modules': [
    `${passOn}\nexport { b } from './parts/b.js';`,
    {
      'a.js': 'const same = 1;\nexport const a = same;',
      'b.js': 'const same = 2;\nexport const b = same;',
    },
    /b\.js: same is in parts\/a\.js as well/,
  ],
  'a name that is not there': [passOn, { 'a.js': 'const a = 1;' }, /there is no a in/],
  'a circle': [
    passOn,
    {
      'a.js': "import { b } from './b.js';\nexport const a = 1;",
      'b.js': "import { a } from './a.js';\nexport const b = 1;",
    },
    /takes from itself/,
  ],
  'another name': [
    passOn,
    {
      'a.js': "import { b as c } from './b.js';\nexport const a = c;",
      'b.js': 'export const b = 1;',
    },
    /cannot be put/,
  ],
  'all names': [
    passOn,
    { 'a.js': "import * as b from './b.js';\nexport const a = b;", 'b.js': 'export const b = 1;' },
    /cannot be put/,
  ],
  'a default': [passOn, { 'a.js': 'export const a = 1;\nexport default a;' }, /cannot be put/],
  'names taken apart': [
    passOn,
    { 'a.js': 'const { b } = { b: 1 };\nexport const a = b;' },
    /cannot be put/,
  ],
  'a module at any time': [
    passOn,
    { 'a.js': "export const a = () => import('./b.js');" },
    /cannot be put/,
  ],
  'where a module is': [passOn, { 'a.js': 'export const a = import.meta.url;' }, /cannot be put/],
  'a file beside the script that is not there': [
    passOn,
    { 'a.js': "export const a = () => new URL('../b.js', import.meta.url);" },
    /there is no \.\.\/b\.js/,
  ],
  'code beside what is passed on': [
    `${passOn}\nconst b = 1;`,
    { 'a.js': 'export const a = 1;' },
    /something else/,
  ],
  'a template over several lines': ['export const a = `b\n  c`;', {}, /template literal/],
};
for (const [what, [entry, modules, message]] of Object.entries(refusals)) {
  test(`refused: ${what}`, () => {
    const { packed, stderr } = pack(entry, modules);
    assert.equal(packed, null);
    assert.match(stderr, message);
  });
}
