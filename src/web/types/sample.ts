// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A program that uses all of upload.d.ts, for the compiler: it is checked and never run.

import {
  connect,
  dropIn,
  getLimits,
  UploadError,
  type Completion,
  type Limits,
  type Progress,
  type Result,
  type SessionStatus,
  type Signalling,
  type UploadClient,
} from '../upload.js';

const signalling: Signalling = async ({ url, offer, wishes, key, signal }) => {
  const body = JSON.stringify({ sdp: await offer(), realtime: wishes.realtime, key: key ?? null });
  const reply = await fetch(url, { method: 'POST', body, signal });
  const status = async (): Promise<SessionStatus> => (await fetch(url)).json();
  return { answer: await reply.text(), end: () => fetch(url, { method: 'DELETE' }), status };
};

function fits(file: File, limits: Limits | null): boolean {
  return limits === null || limits.maxSize === null || file.size <= limits.maxSize;
}

export async function countPeople(file: File, signal: AbortSignal): Promise<number> {
  if (!fits(file, await getLimits('https://video.example.org/', { signal }))) return 0;
  const client: UploadClient = await connect(new URL('https://video.example.org/'), {
    key: 'secret',
    signal,
    signalling: file.size % 2 === 0 ? signalling : dropIn,
    protocol: 'auto',
    connections: 4,
    onRestart: ({ error, times }) => console.log(error.code, times + 1),
    realtime: false,
    dataOutput: ['predictions'],
    onState: (state) => console.log(state === 'interrupted'),
    onInterruption: ({ secondsLeft }) => console.log(secondsLeft),
  });
  const uploading = client.upload(file, {
    onProgress: ({ fraction, secondsLeft }: Progress) =>
      console.log(fraction ?? '?', secondsLeft ?? '?'),
  });
  let people = 0;
  for await (const result of client.results) people += peopleIn(result);
  const { verified, sha256 } = await uploading;
  const { errors }: Completion = await client.completion;
  console.log(errors.length, client.dropped, verified, sha256 ?? '?');
  return people;
}

export async function record(stream: ReadableStream<Blob>): Promise<boolean> {
  const client = await connect('https://video.example.org/', { connections: 'auto' });
  const { verified } = await client.upload(stream, { name: 'a.webm', contentType: 'video/webm' });
  return verified;
}

function peopleIn(result: Result): number {
  const found = result.serialized_output_data?.predictions?.predictions ?? [];
  return found.filter((prediction) => prediction.class === 'person').length;
}

export function explain(error: unknown): string {
  if (!(error instanceof UploadError)) throw error;
  // @ts-expect-error -- Errors are not changed.
  error.code = 'other';
  return error.code === 'too-large' ? 'too large' : `${error.message} (${error.status ?? 'no'})`;
}

// @ts-expect-error -- Made by connect() only.
export const wrong = new UploadClient({});
