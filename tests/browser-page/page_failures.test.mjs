// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page when something goes wrong: what it says then, and what a person can do about it.

import assert from 'node:assert/strict';

import { FRAMES, Server } from '../browser/support.mjs';
import { run } from '../browser/tap.mjs';
import { downloaded, FIND_BOX_FOR_MINUTES, pageTest, setUp, tearDown, world } from './page_tab.mjs';
import { FIND_BOX } from './support.mjs';

pageTest(
  'a file that is too large is refused before anything is sent',
  {
    limits: { max_size: 1000000, keys_required: false, formats: ['video/mp4', '.mkv'] },
  },
  async (tab) => {
    await tab.page.locator('#limits', { hasText: 'Up to 1 MB · MP4, MKV' }).waitFor();
    await tab.choose('large.mp4');
    await tab.error('This video is too large for the server. It takes up to 1 MB.');
    await tab.shot('too-large');
    await tab.choose('old.avi');
    await tab.error('Choose one of these: MP4, MKV.');
    await tab.choose('empty.mp4');
    await tab.error('This file is empty.');
    assert.deepEqual(world.gateway.offers, []);
  },
);

pageTest(
  'a file that is too large for a server that does not say',
  {
    limits: null,
    options: ['--max-size', '1000000'],
    tab: { expected: /404/ },
  },
  async (tab) => {
    await tab.choose('large.mp4');
    await tab.error('This video is too large for the server.');
    await tab.phase('Not finished');
    assert.equal(await tab.page.locator('#retry').isVisible(), false);
  },
);

pageTest(
  'what is no video is said to be none',
  { tab: { width: 360, height: 740 } },
  async (tab) => {
    await tab.choose('letter.mp4');
    await tab.error('This file is not a video.');
    await tab.noSidewaysScrolling();
    await tab.shot('no-video-360');
  },
);

pageTest(
  'a key is asked for, and the upload goes on with it',
  { gateway: true, options: ['--api-key', 'the-right-one'], tab: { expected: /401/ } },
  async (tab) => {
    await tab.choose('short.mp4');
    await tab.error('The server asks for an access key.');
    assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'key');
    await tab.shot('key');
    await tab.page.keyboard.type('a-wrong-one');
    await tab.page.keyboard.press('Enter');
    await tab.error('The server did not accept this key.');
    await tab.page.fill('#key', 'the-right-one');
    await tab.page.keyboard.press('Enter');
    await tab.phase('Done');
  },
);

const oneProcess = {
  gateway: true,
  pipeline: FIND_BOX_FOR_MINUTES,
  options: ['--isolation', 'none'],
  tab: { expected: /502/ }, // Nobody is there to say how the session is.
};
pageTest('the server is killed half way', oneProcess, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await world.server.kill();
  await tab.error('The server is gone. It was stopped or restarted.');
  await tab.phase('Not finished');
  await tab.shot('server-gone');
  assert.ok((await downloaded(tab)).lines.length > 0);
  // With another one it goes on where it was, without a reload.
  world.server = await Server.start(FIND_BOX);
  world.gateway.server = world.server;
  await tab.page.click('#retry');
  await tab.phase('Done');
});

pageTest("the session's process is killed amid the upload, once", {}, async (tab) => {
  await tab.holdUpload(16e6);
  await tab.choose('padded.mp4');
  await tab.phase('Uploading');
  await world.server.killSession();
  await tab.said(/^phase: Beginning anew/);
  await tab.said(/^heard: The server has lost the upload. It begins anew by itself./);
  assert.equal((await world.server.end()).code, 'crashed');
  // It had not to wait for an end of the connection.
  assert.equal(await tab.page.evaluate(() => window.connectionFailed), false);
  await tab.releaseUpload();
  await tab.phase('Done');
  assert.match(await tab.text('#size'), /verified/);
  assert.equal((await world.server.end(2)).frames, FRAMES.large);
});

pageTest("the session's process is killed amid the upload, again and again", {}, async (tab) => {
  await tab.holdUpload(16e6);
  await tab.choose('padded.mp4');
  for (let times = 1; times <= 3; times += 1) {
    await tab.phase('Uploading');
    await tab.page.evaluate(() => {
      window.history_ = [];
    });
    await world.server.killSession();
    if (times < 3) await tab.said(/^phase: Beginning anew/);
  }
  await tab.error('The server could not cope with this video.');
  assert.match(await tab.text('#alert-said'), /ended by signal 9.*\(crashed\)/);
  assert.equal((await world.server.end(3)).code, 'crashed');
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
  await tab.shot('crashed');
});

const forMinutes = { pipeline: FIND_BOX_FOR_MINUTES };
pageTest("the session's process is killed amid the results", forMinutes, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await world.server.killSession();
  await tab.error('The server could not cope with this video.');
  assert.match(await tab.text('#alert-said'), /ended by signal 9.*\(crashed\)/);
  assert.equal(await tab.page.evaluate(() => window.connectionFailed), false);
  assert.ok((await downloaded(tab)).lines.length > 0);
});

pageTest('the server is stopped half way', { pipeline: FIND_BOX_FOR_MINUTES }, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await world.server.stop();
  await tab.error('The server ended this session.');
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
});

const unreachable = { gateway: true, tab: { expected: /502/ } };
pageTest('the server cannot be reached', unreachable, async (tab) => {
  await world.server.stop();
  await tab.choose('short.mp4');
  await tab.error('Something went wrong in the server.');
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
});

// Has the page read other results than the server sent. `change` runs in the page, with the text.
const readInstead = (tab, change) =>
  tab.page.evaluate((source) => {
    const decode = TextDecoder.prototype.decode;
    const changed = (0, eval)(`(${source})`);
    TextDecoder.prototype.decode = function (...from) {
      return changed(decode.apply(this, from));
    };
  }, String(change));

pageTest('what a server calls things is shown, and is nothing but text', {}, async (tab) => {
  await readInstead(tab, (text) =>
    text.replaceAll('"class":"box"', '"class":"<img src=x onerror=alert(1)><b>box</b>"'),
  );
  await tab.choose('short.mp4');
  await tab.phase('Done');
  const name = '<img src=x onerror=alert(1)><b>box</b>';
  assert.equal(await tab.text('#classes'), `${name} × ${FRAMES.short}`);
  assert.equal(await tab.page.locator('#rows tr td:nth-child(2)').first().innerText(), name);
  assert.equal(await tab.page.locator('img, #rows b, #classes b').count(), 0);
});

pageTest('an end that a server calls as objects call their parts', {}, async (tab) => {
  await readInstead(tab, (text) =>
    text.replace('"termination_reason":null', '"termination_reason":"constructor"'),
  );
  await tab.choose('short.mp4');
  await tab.error('Something went wrong.');
  assert.match(await tab.text('#alert-said'), /\(constructor\)/);
  await tab.page.locator('#retry').waitFor();
});

pageTest('a result that the page cannot cope with ends the session', {}, async (tab) => {
  // As it does for what is nested too deeply, where the browser has not enough of a stack.
  await tab.page.evaluate(() => {
    JSON.stringify = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
  });
  const deletion = tab.page.waitForRequest((request) => request.method() === 'DELETE');
  deletion.catch(() => {}); // Awaited below, unless something fails before.
  await tab.choose('padded.mp4');
  await tab.error('Something went wrong.');
  await tab.phase('Not finished');
  await tab.page.locator('#retry').waitFor();
  await deletion;
  await world.server.idle();
});

await run({ setUp, tearDown });
