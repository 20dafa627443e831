// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page: choosing a video, the way through one session, and what is said about it.

import { Stage } from './overlay.js';
import { Findings, ResultList } from './results.js';
import { connect, getLimits, UploadError } from './upload.js';
import {
  bytes,
  clock,
  count,
  explain,
  formatName,
  matchesFormat,
  timeLeft,
  tryingFor,
} from './words.js';

const server = new URL('.', location.href);
const KEY_WANTED = 'The server asks for an access key.';
const $ = (id) => document.getElementById(id);

const stage = new Stage({
  video: $('video'),
  overlay: $('overlay'),
  strip: $('strip'),
  stage: $('stage'),
  note: $('stage-note'),
});
const list = new ResultList(
  { rows: $('rows'), classes: $('classes'), table: $('table'), counter: $('count') },
  (time) => stage.seek(time),
);

let limits = null;
let key = '';
let file = null; // The last that was chosen.
let waitsForKey = false;
let findings = new Findings();
let session = null; // An AbortController while one is under way.

// --- what is said

function say(words) {
  $('heard').textContent = words;
}

function alertOf({ title, advice, said = '' }, question = false) {
  $('alert-title').textContent = title;
  $('alert-advice').textContent = advice;
  $('alert-said').textContent = said;
  $('alert').classList.toggle('question', question);
  $('alert').hidden = false;
}

function showError(error) {
  const explained = explain(error, limits);
  alertOf(explained);
  return explained.retry;
}

function showPhase(words, { fraction = null, numbers = [], good = false } = {}) {
  $('phase').textContent = words;
  $('phase').classList.toggle('done', good);
  $('numbers').textContent = numbers.filter(Boolean).join(' · ');
  const progress = $('progress');
  if (fraction === null) progress.removeAttribute('value');
  else progress.value = Math.min(1, fraction);
  document.title =
    session && fraction !== null
      ? `${Math.floor(fraction * 100)} % – ${words}`
      : `${words} – Upload a video`;
}

// Screen readers hear of a new phase and of each quarter, not of every number.
let lastSaid = '';
function sayProgress(phase, fraction) {
  const quarter = Math.floor(fraction * 4) * 25;
  const words = quarter > 0 && quarter < 100 ? `${phase}: ${quarter} percent` : phase;
  if (words === lastSaid) return;
  lastSaid = words;
  say(words);
}

// --- what is shown

function showChooser() {
  $('session').hidden = true;
  $('choose').hidden = false;
  document.title = 'Upload a video';
  stage.clear();
}

function showSession() {
  $('alert').hidden = true;
  $('choose').hidden = true;
  $('session').hidden = false;
  $('name').textContent = file.name;
  $('size').textContent = bytes(file.size);
  $('download').hidden = true;
  setBusy(true);
  $('name').focus({ preventScroll: true });
}

function setBusy(busy, retry = false) {
  const { activeElement } = document;
  $('cancel').hidden = !busy;
  $('again').hidden = busy;
  $('retry').hidden = busy || !retry;
  // Not to leave anybody on a button that is gone.
  if (!busy && activeElement === $('cancel')) $(retry ? 'retry' : 'again').focus();
}

function askForKey(title) {
  showChooser();
  $('key-form').hidden = false;
  waitsForKey = file !== null;
  alertOf({ title, advice: 'Enter the key that you were given, and the upload goes on.' }, !key);
  $('key').focus();
}

// --- choosing

function refusal(chosen) {
  const { maxSize, formats = [] } = limits ?? {};
  if (chosen.size === 0) return new UploadError('empty-upload', `${chosen.name} has no content.`);
  if (maxSize !== null && chosen.size > maxSize) {
    return new UploadError('too-large', `${chosen.name} has ${bytes(chosen.size)}.`);
  }
  if (formats.length > 0 && !matchesFormat(chosen, formats)) {
    return new UploadError('unsupported-format', `This is ${chosen.name}.`);
  }
  return null;
}

function choose(chosen) {
  if (!chosen || session) return;
  $('file').value = ''; // So that the same file can be chosen again.
  const error = refusal(chosen);
  if (error) {
    showChooser();
    showError(error);
    return;
  }
  file = chosen;
  if (limits?.keysRequired && !key) {
    askForKey(KEY_WANTED);
    return;
  }
  run();
}

// --- a session

async function run() {
  const controller = new AbortController();
  session = controller;
  findings = new Findings();
  list.reset(findings);
  stage.show(file, findings);
  showSession();
  lastSaid = '';
  showPhase('Connecting');
  sayProgress('Connecting', 0);
  let client = null;
  try {
    client = await connect(server, {
      key,
      signal: controller.signal,
      dataOutput: ['*'],
      onState: showState,
      onInterruption: ({ secondsLeft }) => showInterruption(tryingFor(secondsLeft)),
      onRestart: showRestart,
    });
    const uploading = client.upload(file, { onProgress: showUpload });
    uploading.then(showUploaded).catch(() => {}); // Told by the results' end.
    const pace = new Pace();
    for await (const result of client.results) {
      list.add(findings.add(result));
      stage.update();
      pace.frame(findings.lastTime);
      if (uploaded) showAnalysis(pace);
    }
    await uploading;
    finish(await client.completion);
  } catch (error) {
    // The session may not know of it yet.
    client?.close();
    fail(error);
  }
}

let uploaded = false;
let interrupted = false;
let anew = false; // In another session, because the one before is lost.

function showState(state) {
  // When all is told, the connection is no matter any more.
  if (!session) return;
  if (state === 'connected') {
    if (interrupted) say('The connection is back.');
    interrupted = false;
    anew = false;
    showAnalysis(null);
  } else if (state === 'interrupted' && !interrupted) {
    interrupted = true;
    lastSaid = '';
    showInterruption('waiting for it to come back');
    say('The connection is interrupted. Waiting for it to come back.');
  }
}

function showInterruption(words) {
  const phase = anew ? 'Beginning anew' : 'Connection interrupted';
  if (session && interrupted) showPhase(phase, { numbers: [words] });
}

function showRestart() {
  anew = true;
  interrupted = true;
  lastSaid = '';
  showInterruption('the server has lost what had arrived');
  say('The server has lost the upload. It begins anew by itself.');
}

function showUpload({ sent, total, fraction, bytesPerSecond, secondsLeft }) {
  uploaded = sent === total;
  if (uploaded || interrupted || !session) return;
  const speed = bytesPerSecond ? `${bytes(bytesPerSecond)}/s` : '';
  showPhase('Uploading', {
    fraction,
    numbers: [`${bytes(sent)} of ${bytes(total)}`, speed, timeLeft(secondsLeft)],
  });
  sayProgress('Uploading', fraction);
}

function showUploaded({ verified }) {
  if (verified) $('size').textContent = `${bytes(file.size)} · verified`;
  showAnalysis(null);
}

// How fast the analysis goes, over the last moments: frames, and seconds of the video, a second.
class Pace {
  #frames = [];

  frame(videoTime) {
    this.#frames.push([performance.now(), videoTime]);
    if (this.#frames.length > 100) this.#frames.shift();
  }

  get #elapsed() {
    const elapsed = this.#frames.at(-1)[0] - this.#frames[0][0];
    return elapsed > 500 ? elapsed / 1000 : NaN;
  }

  get framesPerSecond() {
    return (this.#frames.length - 1) / this.#elapsed || null;
  }

  get videoPerSecond() {
    return (this.#frames.at(-1)[1] - this.#frames[0][1]) / this.#elapsed || null;
  }
}

let analysisShown = 0;
function showAnalysis(pace) {
  if (!session || !uploaded || (pace && performance.now() - analysisShown < 100)) return;
  analysisShown = performance.now();
  const done = Math.max(0, findings.lastTime);
  const { duration } = stage;
  const fps = pace?.framesPerSecond;
  const fraction = duration > 0 && done > 0 ? done / duration : null;
  const speed = pace?.videoPerSecond;
  const left = speed > 0 && fraction ? Math.max(0, duration - done) / speed : null;
  const far = done > 0 ? clock(done) : '';
  const place = fraction === null ? far : `${far} of ${clock(duration)}`;
  showPhase('Analysing', {
    fraction,
    numbers: [place, fps ? `${Math.round(fps)} frames a second` : '', timeLeft(left)],
  });
  sayProgress('Analysing', fraction ?? 0);
}

function end(complete) {
  session = null;
  uploaded = false;
  interrupted = false;
  anew = false;
  list.flush();
  stage.finish(complete);
  $('download').hidden = findings.frames === 0;
}

function finish({ errors }) {
  end(true);
  const frames = count(findings.frames, 'frame', 'frames');
  const analysed = findings.frames > 0 ? `${frames} analysed` : '';
  showPhase('Done', { fraction: 1, numbers: [analysed], good: true });
  say(`Done.${analysed && ` ${analysed}. ${$('count').textContent}`}`);
  setBusy(false);
  // The video came to its end, but something was not as it should be.
  if (errors.length > 0) {
    showError({ code: 'warnings', said: errors.join(' ') });
  } else if (findings.frames === 0) {
    showError({ code: 'no-frames', said: '' });
  }
}

function fail(error) {
  if (!(error instanceof UploadError)) error = new UploadError('internal-error', String(error));
  end(false);
  if (error.code === 'cancelled' && !error.remote) {
    showPhase('Cancelled', { fraction: 0 });
    say('Cancelled.');
    setBusy(false, true);
  } else if (error.code === 'unauthorized' && error.status === 401) {
    askForKey(key ? 'The server did not accept this key.' : KEY_WANTED);
  } else {
    showPhase('Not finished', { fraction: 0 });
    say(''); // The alert is read by itself.
    setBusy(false, showError(error));
  }
}

function saveResults() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(findings.download());
  link.download = `${file.name.replace(/\.[^.]*$/, '')}.results.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// --- events

$('file').addEventListener('change', () => choose($('file').files[0]));
$('cancel').addEventListener('click', () => session?.abort());
$('retry').addEventListener('click', run);
$('again').addEventListener('click', () => {
  $('alert').hidden = true;
  showChooser();
  $('file').focus();
});
$('download').addEventListener('click', saveResults);
$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  key = $('key').value.trim();
  $('alert').hidden = true;
  if (key && waitsForKey) run();
  else if (key) say('The key will be used.');
  waitsForKey = false;
});

// A file may be dropped anywhere; a browser would otherwise open it and leave.
let depth = 0;
const setDepth = (value) => {
  depth = Math.max(0, value);
  document.body.classList.toggle('over', depth > 0);
};
addEventListener('dragenter', () => setDepth(depth + 1));
addEventListener('dragleave', () => setDepth(depth - 1));
addEventListener('dragover', (event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = session ? 'none' : 'copy';
});
addEventListener('drop', (event) => {
  event.preventDefault();
  setDepth(0);
  choose(event.dataTransfer.files[0]);
});
addEventListener('beforeunload', (event) => {
  if (session) event.preventDefault();
});
addEventListener('pagehide', () => session?.abort());

getLimits(server)
  .then((said) => {
    limits = said;
    if (!limits) return;
    const { maxSize, formats, keysRequired } = limits;
    $('limits').textContent = [
      maxSize && `Up to ${bytes(maxSize)}`,
      formats.map(formatName).join(', '),
    ]
      .filter(Boolean)
      .join(' · ');
    if (formats.length > 0) {
      const dotted = formats.map((format) => (/[/.]/.test(format) ? format : `.${format}`));
      $('file').accept = dotted.join(',');
    }
    $('key-form').hidden = !keysRequired;
  })
  .catch(() => {}); // Told when it matters: at the upload.
