// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs in the browser: the public SDK as it is on npm, and a record of what it tells its application. Tests reach it as
// `window.client`.

import { connectors, webrtc } from '/sdk/index.es.js';

// The SDK gives up after 6 s without its candidates and after 30 s without a connection. What a busy machine needs longer for
// is no failure of the server's.
const { setTimeout } = window;
window.setTimeout = (call, delay = 0, ...rest) => setTimeout(call, delay < 6000 ? delay : 10 * delay, ...rest);

// A promise and what settles it.
function settleable() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

class Client {
  #complete = settleable();
  #halfUploaded = settleable();
  #released = settleable();
  #watchers = [];

  results = [];
  // In the order in which the SDK called: "result", "processing complete", "complete".
  calls = [];

  // Where the server is, the key, and what useVideoFile() takes as `wrtcParams`. With `atHalf`, that method of the
  // connection is called when half of the file was handed to the channel. With `held`, nothing is uploaded before release().
  async start({ url, key = 'none', film, params = {}, atHalf = null, after = null, held = false }) {
    const file = new File([await (await fetch(film)).blob()], 'film.mp4', { type: 'video/mp4' });
    if (held) this.#hold(file);
    this.connection = await webrtc.useVideoFile({
      file,
      connector: connectors.withApiKey(key, { serverUrl: url }),
      wrtcParams: { workspaceName: 'any', workflowId: 'default', iceServers: [], ...params },
      onData: (data) => {
        this.results.push(data);
        this.calls.push(data.processing_complete ? 'processing complete' : 'result');
        if (after && this.results.length === after.results) this.connection.reconfigureOutputs(after.outputs);
        this.#watchers = this.#watchers.filter((watcher) => !watcher());
      },
      onUploadProgress: (sent, total) => {
        if (sent < total / 2 || this.half) return;
        this.half = true;
        if (atHalf) this.connection[atHalf]();
        this.#halfUploaded.resolve();
      },
      onComplete: () => {
        this.calls.push('complete');
        this.#complete.resolve();
      },
    });
  }

  #hold(file) {
    file.slice = (...range) => {
      const piece = File.prototype.slice.apply(file, range);
      piece.arrayBuffer = async () => {
        await this.#released.promise;
        return File.prototype.arrayBuffer.call(piece);
      };
      return piece;
    };
  }

  halfUploaded() {
    return this.#halfUploaded.promise;
  }

  // When that many results have come.
  async resultsCame(count) {
    if (this.results.length >= count) return;
    await new Promise((resolve) => {
      this.#watchers.push(() => {
        if (this.results.length < count) return false;
        resolve();
        return true;
      });
    });
  }

  // When onComplete was called: everything that came until then.
  async finished() {
    await this.#complete.promise;
    return { results: this.results, calls: this.calls };
  }

  // Plays the track that comes back, lets the upload begin, and resolves once the red box was seen at `count` different
  // heights.
  async boxSeenMoving(count) {
    const video = document.getElementById('video');
    video.srcObject = await this.connection.remoteStream();
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const seen = new Set();
    await new Promise((resolve) => {
      const look = () => {
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        context.drawImage(video, 0, 0);
        const top = topOfRed(context.getImageData(0, 0, canvas.width, canvas.height));
        if (top !== null) seen.add(top);
        if (seen.size >= count) resolve();
        else video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
      this.#released.resolve();
    });
    return { tops: [...seen], width: canvas.width, height: canvas.height };
  }
}

function topOfRed({ width, height, data }) {
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      const at = 4 * (y * width + x);
      if (data[at] > 160 && data[at + 1] < 90 && data[at + 2] < 90) return y;
    }
  }
  return null;
}

window.client = new Client();
