// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The video as the person has it, what was found in it drawn over it, and a strip that shows where.
// Playing follows the analysis: it begins with the first result, and waits when it has caught up.

// Light enough for dark text on them.
const COLOURS = [
  '#ffb000',
  '#4cc9f0',
  '#7ae582',
  '#ff8fab',
  '#c8b6ff',
  '#f4f1bb',
  '#ff9f6e',
  '#9bf6ff',
];
const HOLD_BEFORE = 0.1; // Seconds before the last result at which playing waits,
const GO_ON_AFTER = 0.6; // and how far that must have come until it goes on.
const STRIP_BARS = 240;

export class Stage {
  #video;
  #overlay;
  #strip;
  #stage;
  #note;
  #findings = null;
  #analysing = false;
  #held = false;
  #wantsToPlay = false;
  #url = null;
  #shown = 0;
  #bars = {};
  #newest = true; // Without a picture: which frame's boxes are shown.
  #drawing = false;

  constructor({ video, overlay, strip, stage, note }) {
    this.#video = video;
    this.#overlay = overlay;
    this.#strip = strip;
    this.#stage = stage;
    this.#note = note;
    const again = () => this.draw();
    for (const name of ['seeked', 'seeking', 'loadeddata', 'pause', 'timeupdate']) {
      video.addEventListener(name, again);
    }
    new ResizeObserver(again).observe(stage);
    video.addEventListener('pause', () => {
      if (!this.#held) this.#wantsToPlay = false;
    });
    video.addEventListener('play', () => {
      this.#wantsToPlay = true;
      this.#held = false;
    });
    video.addEventListener('error', () => {
      if (!this.#url) return;
      stage.classList.add('blind');
      this.draw();
    });
    strip.addEventListener('click', ({ offsetX }) => {
      const duration = this.duration || this.#findings?.lastTime;
      if (duration > 0) this.seek((offsetX / strip.clientWidth) * duration);
    });
    this.#watchFrames();
  }

  /** Of the video in seconds; 0 if the browser cannot tell, as of what another browser recorded. */
  get duration() {
    const { duration } = this.#video;
    return Number.isFinite(duration) ? duration : 0;
  }

  get #blind() {
    return this.#stage.classList.contains('blind');
  }

  show(file, findings) {
    this.clear();
    this.#findings = findings;
    this.#analysing = true;
    this.#url = URL.createObjectURL(file);
    this.#video.src = this.#url;
    // Whoever wants little motion starts it by hand.
    this.#newest = true;
    this.#wantsToPlay = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#held = true;
    this.draw();
  }

  clear() {
    this.#analysing = false;
    this.#findings = null;
    this.#stage.classList.remove('blind');
    this.#note.hidden = true;
    if (!this.#url) return;
    URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  /** There are new results. */
  update() {
    this.#follow();
    this.draw();
  }

  /** No more results will come; whether because all are there. */
  finish(complete) {
    this.#analysing = false;
    if (!complete && this.#held) this.#wantsToPlay = false;
    this.update();
  }

  seek(time) {
    if (this.#blind) {
      this.#shown = time;
      this.#newest = false;
      this.draw();
      return;
    }
    const frame = this.#findings?.frameAt(time) ?? -1;
    this.#video.currentTime = frame < 0 ? time : Math.max(time, this.#findings.within(frame));
    this.#video.scrollIntoView({ block: 'nearest' });
  }

  #watchFrames() {
    const video = this.#video;
    const show = (time) => {
      this.#shown = time;
      this.#follow();
      this.#paint();
    };
    if (video.requestVideoFrameCallback) {
      const next = (now, { mediaTime }) => {
        show(mediaTime);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
      return;
    }
    const next = () => {
      if (!video.paused) show(video.currentTime);
      requestAnimationFrame(next);
    };
    next();
    video.addEventListener('seeked', () => {
      this.#shown = video.currentTime;
    });
  }

  #follow() {
    const video = this.#video;
    if (!this.#findings || this.#findings.frames === 0) return;
    const ahead = this.#findings.lastTime - video.currentTime;
    if (this.#analysing && !video.paused && ahead < HOLD_BEFORE) {
      this.#held = true;
      video.pause();
    } else if (this.#held && this.#wantsToPlay && (ahead > GO_ON_AFTER || !this.#analysing)) {
      this.#held = false;
      video.play().catch(() => {}); // It can be started by hand.
    }
  }

  /** Soon, and once however often it is asked for. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#paint();
      this.#paintStrip();
    });
  }

  #paint() {
    const findings = this.#findings;
    const video = this.#video;
    const context = prepare(this.#overlay);
    const frame = this.#frameToShow(findings);
    this.#say(findings, frame);
    if (!findings || frame < 0) return;

    const { clientWidth, clientHeight } = this.#overlay;
    // The pixels of the analysed picture need not be square, nor as many as the browser's.
    const width = findings.width || video.videoWidth;
    const height = findings.height || video.videoHeight;
    const shape =
      video.videoWidth / video.videoHeight || (width * findings.pixelAspectRatio) / height;
    const shownWidth = Math.min(clientWidth, clientHeight * shape);
    const shownHeight = shownWidth / shape;
    const left = (clientWidth - shownWidth) / 2;
    const top = (clientHeight - shownHeight) / 2;
    if (this.#blind) {
      context.strokeStyle = '#888';
      context.strokeRect(left, top, shownWidth, shownHeight);
    }
    const place = {
      left,
      top,
      scaleX: shownWidth / width,
      scaleY: shownHeight / height,
      right: clientWidth,
    };
    context.font = '600 13px system-ui, sans-serif';
    context.textBaseline = 'middle';
    for (const box of findings.boxes(frame)) {
      drawBox(context, box, place, findings.labels[box.label]);
    }
  }

  #frameToShow(findings) {
    if (!findings || findings.times.length === 0) return -1;
    return this.#blind && this.#newest
      ? findings.times.length - 1
      : findings.frameAt(this.#shown, this.#analysing);
  }

  #say(findings, frame) {
    let words = '';
    if (this.#blind) {
      words = 'Your browser cannot play this video.';
      if (this.#analysing) words += ' The server may still read it.';
    } else if (findings?.frames > 0 && this.#analysing && frame < 0) {
      words = 'Not analysed yet';
    } else if (this.#held && this.#wantsToPlay && this.#analysing && findings?.frames > 0) {
      words = 'Waiting for the analysis';
    }
    this.#note.textContent = words;
    this.#note.hidden = !words;
  }

  // How many boxes at most there are in each part of the strip; only new frames are looked at.
  #countUntilNow(findings, duration) {
    const bars = this.#bars;
    if (bars.findings !== findings || bars.duration !== duration) {
      Object.assign(bars, { findings, duration, frames: 0 });
      bars.heights = new Array(STRIP_BARS).fill(0);
    }
    const barAt = (time) => Math.min(STRIP_BARS, Math.floor((time / duration) * STRIP_BARS));
    // The last one again: now it is known when the next one begins.
    const { times } = findings;
    for (let frame = Math.max(0, bars.frames - 1); frame < times.length; frame += 1) {
      const boxes = findings.boxCount(frame);
      const begin = barAt(times[frame]);
      const end = Math.max(begin + 1, barAt(times[frame + 1] ?? 0));
      for (let bar = begin; bar < end; bar += 1) {
        bars.heights[bar] = Math.max(bars.heights[bar] ?? 0, boxes);
      }
    }
    bars.frames = times.length;
    return bars.heights.slice(0, STRIP_BARS);
  }

  #paintStrip() {
    const findings = this.#findings;
    const context = prepare(this.#strip);
    const { clientWidth: width, clientHeight: height } = this.#strip;
    const duration = this.duration || findings?.lastTime;
    if (!findings || !(duration > 0)) return;
    const { color } = getComputedStyle(this.#strip);
    const heights = this.#countUntilNow(findings, duration);
    const most = Math.max(1, ...heights);
    context.fillStyle = color;
    context.globalAlpha = 0.18;
    context.fillRect(0, 0, (Math.max(0, findings.lastTime) / duration) * width, height);
    context.globalAlpha = 1;
    heights.forEach((value, bar) => {
      const size = (value / most) * (height - 6);
      const [left, right] = [bar, bar + 1].map((edge) => Math.round((edge / STRIP_BARS) * width));
      context.fillRect(left, height - size, right - left, size);
    });
    context.fillStyle = getComputedStyle(document.body).color;
    context.fillRect((this.#video.currentTime / duration) * width - 1, 0, 2, height);
  }
}

// Sharp on every screen, and empty.
function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

function drawBox(context, { x, y, w, h, confidence, label }, place, words) {
  const { left, top, scaleX, scaleY, right } = place;
  const [boxLeft, boxTop] = [left + x * scaleX, top + y * scaleY];
  const colour = COLOURS[label % COLOURS.length];
  for (const [style, width] of [
    ['#000a', 5],
    [colour, 2.5],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(boxLeft, boxTop, w * scaleX, h * scaleY);
  }
  const text = confidence < 1 ? `${words} ${Math.round(confidence * 100)} %` : words;
  const width = context.measureText(text).width + 10;
  const textLeft = Math.max(0, Math.min(boxLeft - 1, right - width));
  const textTop = boxTop >= 20 ? boxTop - 20 : boxTop;
  context.fillStyle = colour;
  context.fillRect(textLeft, textTop, width, 20);
  context.fillStyle = '#111';
  context.fillText(text, textLeft + 5, textTop + 10.5);
}
