// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Trying again until something works or the time for it is over: first at once, then less and less often.

import { UploadError } from './errors.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const COUNT_DOWN_MS = 1000;

// With these the next try may go better. Others are the server's last word.
const PASSING = [
  'connect-timeout',
  'network-failed',
  'peer-gone',
  'request-timeout',
  'server-error',
  'too-many-sessions',
  'unavailable',
];

// What tells that the network may be back, or that the tab runs again.
const NEWS = [
  ['window', 'online'],
  ['window', 'pageshow'],
  ['document', 'visibilitychange'],
  ['document', 'resume'],
];

/**
 * What `attempt` resolves to, once it does. Rejects with its error if that will not pass, or at the end of the time.
 * @param {() => Promise<unknown>} attempt
 * @param {{seconds: number, retryAfter?: number, signal: AbortSignal, onWait: (secondsLeft: number) => void}} options
 *     for how long to try, at the least once; after how many seconds for the first time, if the server has said so; what
 *     ends it early; told about once a second
 */
export async function persist(attempt, { seconds, retryAfter, signal, onWait }) {
  const end = performance.now() + 1000 * seconds;
  const left = () => Math.max(0, end - performance.now());
  const tell = () => onWait(Math.ceil(left() / 1000));
  const timer = setInterval(tell, COUNT_DOWN_MS);
  try {
    if (retryAfter > 0) await pauseOrNews(Math.min(1000 * retryAfter, left()), signal);
    for (let tries = 0; ; tries += 1) {
      // Asked before it: the time may be over during any try, and a timer may come a little early.
      const isLast = left() === 0;
      tell();
      const error = await attempt().catch((problem) => problem);
      if (!(error instanceof Error)) return error;
      const passing = error instanceof UploadError && PASSING.includes(error.code);
      if (signal.aborted || !passing || isLast) throw error;
      const pause = pauseAfter(tries, error.retryAfter);
      // The last try is at the end of the time.
      await pauseOrNews(Math.min(pause, left()), signal);
      if (signal.aborted) throw signal.reason;
    }
  } finally {
    clearInterval(timer);
  }
}

// Some time up to twice the one before: not everybody shall come at the same moment. As long as the server has asked for,
// if it has.
function pauseAfter(tries, retryAfter) {
  if (retryAfter > 0) return 1000 * retryAfter;
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
  return longest * (0.5 + Math.random() / 2);
}

function pauseOrNews(pause, signal) {
  return new Promise((resolve) => {
    const targets = NEWS.map(([name, event]) => [globalThis[name], event]).concat([
      [signal, 'abort'],
    ]);
    const settle = () => {
      clearTimeout(timer);
      for (const [target, event] of targets) target?.removeEventListener?.(event, settle);
      resolve();
    };
    const timer = setTimeout(settle, pause);
    for (const [target, event] of targets) target?.addEventListener?.(event, settle);
  });
}
