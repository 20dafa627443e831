// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is kept of the results, and the list that shows the latest of them. However long the video:
// boxes in flat arrays, the text of the download in blobs, which browsers keep on disk, and a table
// of a fixed length.

import { clock, count } from './words.js';

const MAX_NUMBERS = 6_000_000;
const FIELDS = 6; // x, y, width, height, confidence, label
const MAX_LABELS = 4096;
const MAX_ROWS = 60;
const MAX_BOXES = 5000; // Of one frame.
const MAX_CLASSES_SHOWN = 12;
const MAX_TEXT = 300;
const LINES_PER_BLOB = 500;

// A server may say anything, and anything is not text or a number.
const number = (value) => (typeof value === 'number' ? value : NaN);
const textOf = (value) =>
  ['string', 'number'].includes(typeof value) ? String(value).slice(0, MAX_TEXT) : '';

// A browser may round the time of a frame by as much, in seconds.
const ROUNDED_BY = 0.002;

/** Everything that was found, by time. */
export class Findings {
  frames = 0;
  framesWithBoxes = 0;
  /** Of the frames that the server saw, in pixels. */
  width = 0;
  height = 0;
  /** How wide one of these is if it is 1 high. */
  pixelAspectRatio = 1;
  labels = [];
  classes = new Map(); // name -> how often
  times = [];
  #starts = [0];
  #numbers = [];
  #labelIds = new Map();
  #blobs = [];
  #lines = [];

  /** Keeps a result and returns its detections, with `time` in seconds (NaN = unknown). */
  add(result) {
    this.#lines.push(JSON.stringify(result), '\n');
    if (this.#lines.length >= 2 * LINES_PER_BLOB) this.#blobs.push(new Blob(this.#lines.splice(0)));

    const metadata = result.video_metadata ?? {};
    const { pts, time_base: timeBase, width, height } = metadata;
    const time = Number.isFinite(pts) && Number.isFinite(timeBase) ? pts * timeBase : NaN;
    const { image, predictions } = detectionsIn(result);
    this.width = number(image?.width) || number(width) || this.width;
    this.height = number(image?.height) || number(height) || this.height;
    this.pixelAspectRatio = number(metadata.pixel_aspect_ratio) || 1;
    this.frames += 1;
    if (predictions.length > 0) this.framesWithBoxes += 1;
    const boxes = predictions.slice(0, MAX_BOXES).map((prediction) => this.#read(prediction ?? {}));
    for (const { name } of boxes) {
      if (this.classes.has(name) || this.classes.size < MAX_LABELS) {
        this.classes.set(name, (this.classes.get(name) ?? 0) + 1);
      }
    }
    if (!(time <= this.lastTime) && time >= 0 && this.#numbers.length < MAX_NUMBERS) {
      this.times.push(time);
      for (const { x, y, w, h, confidence, label } of boxes) {
        this.#numbers.push(x, y, w, h, confidence, label);
      }
      this.#starts.push(this.#numbers.length);
    }
    return { time, found: [...boxes, ...otherValues(result)] };
  }

  #read({ x, y, width, height, confidence, class: kind, text }) {
    const name = textOf(kind) || 'something';
    const words = typeof text === 'string' && text ? `${name} ${textOf(text)}` : name;
    let label = this.#labelIds.get(words);
    if (label === undefined && this.labels.length < MAX_LABELS) {
      label = this.labels.push(words) - 1;
      this.#labelIds.set(words, label);
    }
    const [w, h] = [number(width), number(height)];
    return {
      name,
      words,
      label: label ?? 0,
      confidence: number(confidence ?? 1),
      x: number(x) - w / 2,
      y: number(y) - h / 2,
      w,
      h,
    };
  }

  get lastTime() {
    return this.times.at(-1) ?? -1;
  }

  /**
   * The number of the frame that is shown at `time`, or -1. A frame is shown until the next one
   * begins. While `more` are to come, the last one for as long as the one before it.
   */
  frameAt(time, more = false) {
    const { times } = this;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time + ROUNDED_BY) low = middle + 1;
      else high = middle;
    }
    if (more && low === times.length && !(time < this.#endOfLast)) return -1;
    return low - 1;
  }

  get #endOfLast() {
    const [before = NaN, last = NaN] = this.times.slice(-2);
    return last + (last - before) + ROUNDED_BY;
  }

  /** A time well within a frame: at its very begin, a browser might show the one before. */
  within(frame) {
    const [begin, next = begin + 0.01] = this.times.slice(frame, frame + 2);
    return begin + (next - begin) / 4;
  }

  boxCount(frame) {
    return (this.#starts[frame + 1] - this.#starts[frame]) / FIELDS;
  }

  *boxes(frame) {
    for (let at = this.#starts[frame]; at < this.#starts[frame + 1]; at += FIELDS) {
      const [x, y, w, h, confidence, label] = this.#numbers.slice(at, at + FIELDS);
      yield { x, y, w, h, confidence, label };
    }
  }

  /** All results, a line of JSON each. */
  download() {
    return new Blob([...this.#blobs, ...this.#lines], { type: 'application/x-ndjson' });
  }
}

// The object detection among a result's outputs, whatever its name.
function detectionsIn({ serialized_output_data: outputs }) {
  const all = Object.values(outputs ?? {});
  const output = all.find((value) => Array.isArray(value?.predictions));
  return output ?? { predictions: [] };
}

// What else a pipeline says: a transcript, a number. Not pictures.
function otherValues({ serialized_output_data: outputs }) {
  return Object.entries(outputs ?? {})
    .filter(([, value]) => value !== null && value !== '' && !Array.isArray(value?.predictions))
    .filter(([, value]) => value.type !== 'base64')
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return { words: `${name}: ${text.slice(0, MAX_TEXT)}` };
    });
}

const percent = (fraction) => `${Math.round(fraction * 100)} %`;

/** The latest detections as rows, the count, and what was found how often. */
export class ResultList {
  #elements;
  #seek;
  #pending = [];
  #detections = 0;
  #timer = null;
  #findings = null;

  constructor(elements, seek) {
    this.#elements = elements;
    this.#seek = seek;
  }

  reset(findings) {
    this.#findings = findings;
    this.#pending = [];
    this.#detections = 0;
    const { rows, classes, table, counter } = this.#elements;
    rows.replaceChildren();
    classes.replaceChildren();
    table.classList.remove('rated');
    table.hidden = true;
    counter.textContent = 'Results appear here when the analysis begins.';
  }

  add({ time, found }) {
    this.#detections += found.length;
    for (const detection of found) this.#pending.push({ time, ...detection });
    if (this.#pending.length > MAX_ROWS) this.#pending.splice(0, this.#pending.length - MAX_ROWS);
    // Not at every frame: nobody can read that.
    this.#timer ??= setTimeout(() => this.flush(), 200);
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { rows, classes, table, counter } = this.#elements;
    const { frames, framesWithBoxes } = this.#findings;
    const latest = this.#detections > MAX_ROWS ? ` The latest ${MAX_ROWS} are listed.` : '';
    if (frames === 0) {
      counter.textContent = 'There are no results.';
      return;
    }
    counter.textContent =
      `${count(this.#detections, 'detection', 'detections')} in ` +
      `${framesWithBoxes} of ${count(frames, 'frame', 'frames')}.${latest}`;
    rows.prepend(
      ...this.#pending
        .splice(0)
        .reverse()
        .map((detection) => this.#row(detection)),
    );
    while (rows.childElementCount > MAX_ROWS) rows.lastElementChild.remove();
    table.hidden = rows.childElementCount === 0;

    const most = [...this.#findings.classes].sort((a, b) => b[1] - a[1]);
    const shown = most.slice(0, MAX_CLASSES_SHOWN).map(([name, times]) => `${name} × ${times}`);
    if (most.length > MAX_CLASSES_SHOWN) shown.push(`and ${most.length - MAX_CLASSES_SHOWN} more`);
    classes.replaceChildren(...shown.map((text) => element('li', text)));
  }

  #row({ time, words, confidence, x, y, w, h }) {
    const row = document.createElement('tr');
    const when = element('td', '');
    if (Number.isFinite(time)) {
      const button = element('button', clock(time, 2));
      button.title = 'Show this moment';
      button.addEventListener('click', () => this.#seek(time));
      when.append(button);
    }
    const place = [x, y].map(Math.round).join(', ');
    const where = element('td', w >= 0 ? `${place} · ${Math.round(w)} × ${Math.round(h)}` : '');
    where.className = 'place';
    // Detectors that cannot say how sure they are say 1.
    const rated = confidence < 1;
    if (rated) this.#elements.table.classList.add('rated');
    const sure = element('td', rated ? percent(confidence) : '');
    row.append(when, element('td', words), sure, where);
    return row;
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
