// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How fast it goes and how long it takes.

const REPORT_EVERY_MS = 200;

/** Speed and time left, from how much was done by when. The speed is that of the last seconds. */
export class ProgressMeter {
  #samples = [];
  #total;
  #windowMs;

  /** @param {number | null} total null = not known */
  constructor(total, windowMs = 3000) {
    this.#total = total;
    this.#windowMs = windowMs;
  }

  /**
   * @param {number} now in milliseconds, of any clock that only goes forward
   * @param {number} done
   * @returns {{sent: number, total: number | null, fraction: number | null, bytesPerSecond: number | null,
   *     secondsLeft: number | null}} `null` = not known, not known yet, or not at this speed
   */
  update(now, done) {
    const samples = this.#samples;
    samples.push({ now, done });
    while (samples.length > 2 && samples[1].now <= now - this.#windowMs) samples.shift();
    const elapsed = now - samples[0].now;
    const speed = elapsed > 0 ? ((done - samples[0].done) * 1000) / elapsed : null;
    if (this.#total === null) {
      return { sent: done, total: null, fraction: null, bytesPerSecond: speed, secondsLeft: null };
    }
    const left = this.#total - done;
    return {
      sent: done,
      total: this.#total,
      fraction: this.#total > 0 ? done / this.#total : 1,
      bytesPerSecond: speed,
      secondsLeft: left <= 0 ? 0 : speed > 0 ? left / speed : null,
    };
  }
}

/** Tells of progress now and several times a second; the function that is returned ends that, at the end of all with success. */
export function reportProgress(total, sent, onProgress) {
  const meter = new ProgressMeter(total);
  const report = (done) => onProgress(meter.update(performance.now(), done));
  report(0);
  const timer = setInterval(() => report(sent()), REPORT_EVERY_MS);
  return (complete) => {
    clearInterval(timer);
    if (complete) report(total ?? sent());
  };
}
