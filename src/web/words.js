// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the page says: numbers as people write them, and for every error what happened and what can
// be done about it.

const decimal = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (number, one, many) => `${whole.format(number)} ${number === 1 ? one : many}`;

export function bytes(number) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (number >= 999.5 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${decimal.format(number)} ${units[unit]}`;
}

/** 3.48 -> "0:03.48", 75 -> "1:15" */
export function clock(seconds, digits = 0) {
  const all = Number(seconds.toFixed(digits));
  const parts = [Math.floor(all / 60) % 60, (all % 60).toFixed(digits)];
  if (all >= 3600) parts.unshift(Math.floor(all / 3600));
  parts[parts.length - 1] = parts.at(-1).padStart(digits ? digits + 3 : 2, '0');
  if (parts.length === 3) parts[1] = String(parts[1]).padStart(2, '0');
  return parts.join(':');
}

export function timeLeft(seconds) {
  if (seconds === null) return '';
  if (seconds < 60) return `${Math.max(1, Math.ceil(seconds))} s left`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min left`;
  return `${decimal.format(seconds / 3600)} h left`;
}

/** While a lost connection is made anew. */
export function tryingFor(seconds) {
  return seconds > 0 ? `trying again for ${clock(seconds)}` : 'trying once more';
}

// What a person should read of "video/mp4", ".mkv" or "mp4".
export const formatName = (format) => format.replace(/^(video\/)?(x-)?\.?/, '').toUpperCase();

/** Whether a file is among the formats: by its type, or by how its name ends. */
export function matchesFormat({ name, type }, formats) {
  const ending = name.toLowerCase().split('.').pop();
  return formats.some((format) => {
    const wanted = format.toLowerCase();
    if (!wanted.includes('/')) return wanted.replace(/^\./, '') === ending;
    return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : wanted === type;
  });
}

const limitText = ({ maxSize } = {}) => (maxSize ? ` It takes up to ${bytes(maxSize)}.` : '');

const NETWORK = 'Check that you are online and try again.';
const SMALLER = 'Choose a shorter video, or save it with a lower quality first.';
const LATER = 'Wait a little and try again.';
const OPERATOR = 'If it happens again, tell the people who run this server.';
const AGAIN = `Try again. ${OPERATOR}`;
// What only a mistake in one of the two programs makes, or somebody who changes what they say.
const CONFUSED = [
  'This page and the server do not understand each other.',
  `Load this page anew. ${OPERATOR}`,
  true,
];
const TOO_LARGE = ['This video is too large for the server.', SMALLER];

// code -> [what happened, what to do, true if the same file is worth another try]
const ERRORS = {
  'bad-answer': ['The server gave an answer that makes no sense.', AGAIN, true],
  'bad-index': CONFUSED,
  'bad-request': ['The server did not accept the request.', OPERATOR, true],
  'bad-result': ['The server sent results that cannot be read.', OPERATOR, true],
  cancelled: ['The server ended this session.', LATER, true],
  'chunk-too-large': ['The server does not take pieces of this size.', OPERATOR],
  'connect-timeout': [
    'The connection took too long.',
    'A firewall may be in the way: try another network, or try again.',
    true,
  ],
  'conflicting-chunk': CONFUSED,
  'corrupt-chunk': ['A part of the video was damaged on its way.', AGAIN, true],
  crashed: [
    'The server could not cope with this video.',
    'Try again once; if it stops at the same place, choose another video.',
    true,
  ],
  'credit-exceeded': CONFUSED,
  'empty-upload': ['This file is empty.', 'Choose another one.'],
  'file-unreadable': [
    'This file cannot be read any more.',
    'It was changed, moved or removed. Choose it again.',
  ],
  forbidden: ['You may not upload here.', 'Ask the people who run this server for access.'],
  'hash-mismatch': [
    'What arrived is not the file that was chosen.',
    `It may have been changed meanwhile. ${AGAIN}`,
    true,
  ],
  'idle-timeout': ['Nothing arrived at the server for too long.', NETWORK, true],
  'malformed-message': CONFUSED,
  'network-failed': ['The server cannot be reached.', NETWORK, true],
  'not-found': ['There is no upload at this address.', 'Check the address of this page.'],
  'not-a-video': [
    'This file is not a video.',
    'Choose a video. A playlist will not do: it only names videos.',
  ],
  'no-audio': ['There is no sound in this video.', 'Choose a video with sound.'],
  'no-video': ['There is no picture in this file.', 'Choose a video.'],
  overloaded: ['The server cannot keep up.', LATER, true],
  'payment-required': ['There is no credit left for this.', 'Ask the people who run this server.'],
  'peer-gone': ['The connection to the server was lost.', NETWORK, true],
  'processing-failed': [
    'The server cannot read this video.',
    'It may be damaged, or of a kind that the server does not know. MP4 with H.264 works nearly everywhere.',
  ],
  'quota-exceeded': ['Your quota is used up.', 'Come back later, or ask for more.'],
  'request-timeout': ['The server got the request too late.', NETWORK, true],
  'server-error': ['Something went wrong in the server.', AGAIN, true],
  'sandbox-violation': [
    'The server stopped this video.',
    'Something in it made the server do what it does not allow. Choose another video.',
  ],
  'server-gone': ['The server is gone.', `It was stopped or restarted. ${LATER}`, true],
  stalled: ['The analysis came to a halt.', AGAIN, true],
  'size-mismatch': [
    'The video has not the size that was announced.',
    `It may have been changed meanwhile. ${AGAIN}`,
    true,
  ],
  'storage-failed': ['The server has no room for this video.', `${LATER} ${OPERATOR}`, true],
  timeout_reached: [
    'The time for the analysis is over.',
    'What was found until then is kept below. A shorter video would get to its end.',
  ],
  'too-fragmented': CONFUSED,
  'too-large': TOO_LARGE,
  'too-many-channels': ['The server takes no more connections for this upload.', LATER, true],
  'too-many-chunks': TOO_LARGE,
  'too-slow': [
    'The connection is too slow for this server.',
    'Try again where the network is better, or with a shorter video.',
    true,
  ],
  'too-large-picture': [
    'The picture of this video is too large for the server.',
    'Save it with a lower resolution first.',
  ],
  'too-long': ['This video is too long for the server.', 'Choose a shorter one, or cut it.'],
  'too-many-frames': [
    'This video has too many frames for the server.',
    'Choose a shorter one, or save it with a lower frame rate.',
  ],
  'too-many-streams': [
    'This file has more tracks than the server takes.',
    'Save the video with one picture track and one sound track.',
  ],
  'too-much-memory': [
    'This video needs more memory than the server has for it.',
    'Save it with a lower resolution first.',
  ],
  'too-much-metadata': [
    'The tags or the index of this file are too large for the server.',
    'Save the video again without cover pictures, attachments and other extras.',
  ],
  'too-many-sessions': ['The server is busy.', LATER, true],
  'total-changed': CONFUSED,
  'unexpected-message': CONFUSED,
  'unknown-size': ['This server takes no recording while it is made.', 'Choose a finished file.'],
  'unknown-upload': ['The server does not know this upload any more.', AGAIN, true],
  'untrusted-peer': [
    'The server does not trust this connection.',
    'Something between this browser and the server may be tampering with it. Try another network.',
  ],
  unauthorized: ['The server did not let this upload in.', 'A valid access key may help.'],
  unavailable: ['The server is not available now.', LATER, true],
  'no-frames': [
    'The upload is complete, and no results came back.',
    'The server may keep what it finds to itself. If not, there is no picture in this file.',
  ],
  unsupported: [
    'This browser cannot make the connection.',
    'Use a current Firefox, Chrome, Edge or Safari, and see that WebRTC is not switched off.',
  ],
  'unsupported-format': ['The server does not take this kind of file.', ''],
  warnings: ['The analysis is complete, with a remark of the server.', ''],
  'upload-timeout': ['The upload took too long.', SMALLER, true],
};

/**
 * For a person: what happened, what to do, whether trying again makes sense, and what the server
 * said itself.
 */
export function explain(error, limits) {
  // A server may call its errors what it likes, "constructor" too.
  const known = Object.hasOwn(ERRORS, error.code) ? ERRORS[error.code] : null;
  const [title, advice, retry] = known ?? ['Something went wrong.', AGAIN, true];
  const more = /^too-(large|many-chunks)$/.test(error.code) ? limitText(limits ?? undefined) : '';
  const wait = error.retryAfter > 0 && `Wait ${count(error.retryAfter, 'second', 'seconds')}`;
  const types = (limits?.formats ?? []).map(formatName).join(', ');
  return {
    title: title + more,
    advice:
      error.code === 'unsupported-format'
        ? `Choose one of these: ${types}.`
        : wait
          ? advice.replace('Wait a little', wait)
          : advice,
    retry,
    said: error.said ?? [error.message === title ? '' : error.message, `(${error.code})`].join(' '),
  };
}
