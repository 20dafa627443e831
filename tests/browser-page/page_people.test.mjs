// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page for everybody: on a phone, with the keyboard, without motion, light and dark.

import assert from 'node:assert/strict';

import { run } from '../browser/tap.mjs';
import { film, pageTest, setUp, tearDown } from './page_tab.mjs';
import { FIND_PEOPLE } from './support.mjs';

pageTest(
  'on a phone',
  { pipeline: FIND_PEOPLE, tab: { width: 360, height: 740, colorScheme: 'dark' } },
  async (tab) => {
    await tab.noSidewaysScrolling();
    await tab.shot('choose-360-dark');
    await tab.choose('people.mp4');
    await tab.phase('Done');
    await tab.noSidewaysScrolling();
    // This detector does not say how sure it is.
    assert.equal(await tab.page.locator('th', { hasText: 'Confidence' }).isVisible(), false);
    await tab.page.evaluate(async () => {
      const video = document.getElementById('video');
      video.pause();
      await new Promise((resolve) => {
        video.requestVideoFrameCallback(() => requestAnimationFrame(resolve));
        video.currentTime = 2;
      });
    });
    await tab.shot('done-360-dark');
  },
);

pageTest('nothing starts to move for those who want that', {}, async (tab) => {
  await tab.page.emulateMedia({ reducedMotion: 'reduce' });
  await tab.choose('short.mp4');
  await tab.phase('Done');
  const state = () => {
    const { paused, currentTime } = document.getElementById('video');
    return { paused, currentTime };
  };
  assert.deepEqual(await tab.page.evaluate(state), { paused: true, currentTime: 0 });
});

pageTest('with the keyboard alone', {}, async (tab) => {
  // Playwright is ready for it only a moment after it was told.
  const chooser = tab.page.waitForEvent('filechooser');
  await tab.page.keyboard.press('Tab');
  assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'file');
  const outline = await tab.page.evaluate(
    () => getComputedStyle(document.querySelector('label.button')).outlineStyle,
  );
  assert.equal(outline, 'solid');
  await tab.shot('focus');
  await tab.page.keyboard.press('Enter');
  await (await chooser).setFiles(film('short.mp4'));
  await tab.phase('Done');
  const order = [];
  while (order.at(-1) !== 'BUTTON') {
    await tab.page.keyboard.press('Tab');
    const at = () => document.activeElement.id || document.activeElement.tagName;
    const next = await tab.page.evaluate(at);
    // The video's own buttons count as the video.
    if (next !== order.at(-1)) order.push(next);
    assert.ok(order.length < 10, order.join(' '));
  }
  assert.deepEqual(order, ['video', 'again', 'download', 'table', 'BUTTON']);
});

for (const colorScheme of ['light', 'dark']) {
  pageTest(
    `text stands out from its ground: ${colorScheme}`,
    { tab: { colorScheme } },
    async (tab) => {
      await tab.choose('letter.mp4');
      await tab.phase('Not finished');
      await tab.page.evaluate(() => {
        for (const hidden of document.querySelectorAll('[hidden]')) hidden.hidden = false;
      });
      const weak = await tab.page.evaluate(() => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        const luminance = (colours) => {
          canvas.clearRect(0, 0, 1, 1);
          for (const colour of colours) {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
          }
          const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const grounds = (element) =>
          element
            ? [...grounds(element.parentElement), getComputedStyle(element).backgroundColor]
            : ['white'];
        return [...document.body.querySelectorAll('*')]
          .filter((element) =>
            [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
          )
          .filter((element) => !element.closest('noscript, .heard'))
          .map((element) => {
            const ground = grounds(element);
            const text = luminance([...ground, getComputedStyle(element).color]);
            const behind = luminance(ground);
            const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
            return { text: element.textContent.trim().slice(0, 30), ratio };
          })
          .filter(({ ratio }) => ratio < 4.5);
      });
      assert.deepEqual(weak, []);
    },
  );
}

await run({ setUp, tearDown });
