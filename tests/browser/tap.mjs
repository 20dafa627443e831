// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tests one after the other, told in TAP as Meson reads it: Node's own reporter writes multi-line messages that Meson takes
// for a broken log, and is called differently by each version.

const tests = [];

export function test(name, body) {
  tests.push({ name, body });
}

const comment = (text) => text.split('\n').map((line) => `# ${line}\n`).join('');

// Runs those whose name has `only` in it, or all. `setUp` comes before the first; `tearDown` after the last, also when
// setUp failed. Ends the process.
export async function run({ setUp, tearDown, only = process.argv[2] ?? '' }) {
  const chosen = tests.filter(({ name }) => name.includes(only));
  let number = 0;
  let failures = 0;
  const attempt = async (name, body, alwaysTold) => {
    const start = Date.now();
    try {
      await body();
      if (alwaysTold) process.stdout.write(`ok ${(number += 1)} - ${name} (${Date.now() - start} ms)\n`);
      return true;
    } catch (error) {
      failures += 1;
      process.stdout.write(`not ok ${(number += 1)} - ${name}\n${comment(error?.stack ?? String(error))}`);
      return false;
    }
  };

  if (await attempt('set up', setUp, false)) {
    for (const { name, body } of chosen) await attempt(name, body, true);
  }
  await attempt('tear down', tearDown, false);
  process.stdout.write(`1..${number}\n`);
  process.exit(failures === 0 && number > 0 ? 0 : 1);
}
