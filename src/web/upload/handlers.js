// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions of the application's.

/** Calls one, if there is one. What it throws is reported as any uncaught error is, and ends nothing here. */
export function tell(handler, news) {
  try {
    handler?.(news);
  } catch (error) {
    if (globalThis.reportError) {
      globalThis.reportError(error);
    } else {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
