// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which elements are not made behind an upload, by their kind: those that open sources of their
// own, at addresses that a stranger's file names. docs/security.md has the list.

#pragma once

#include <gst/gst.h>

#include <set>
#include <string>

namespace webrtcupload {

enum class ElementKind {
  kHarmless,
  // Brings data from elsewhere: files, devices, the network.
  kSource,
  // Reads a playlist, a manifest or a session description, and opens what that names.
  kPlaylist,
  // Reads a document that may name other files: pictures made of lines, edit lists.
  kDocument,
};

// From the registry: nothing is loaded and nothing is made.
[[nodiscard]] ElementKind kind_of(GstElementFactory* factory);
// Also sees what only an element shows: its type, its flags, and interfaces without a factory.
[[nodiscard]] ElementKind kind_of(GstElement* element);
// Of what typefinders and demuxers say of a stream: kHarmless, kPlaylist or kDocument.
[[nodiscard]] ElementKind kind_of(const GstCaps* caps);
// Whether the caps are those of text that nothing decodes, and so of no video.
[[nodiscard]] bool is_plain_text(const GstCaps* caps);

// Chooses elements by itself, by what the data is: decodebin, decodebin3, parsebin and their like.
[[nodiscard]] bool is_autoplugger(GstElement* element);

using ElementNames = std::set<std::string, std::less<>>;

// What an operator has said of factories, by name. Of one that is in both, `denied` counts.
struct ElementPolicy {
  // May be chosen although their kind is refused, and open what they like.
  ElementNames allowed;
  // Are never chosen, whatever their kind.
  ElementNames denied;

  [[nodiscard]] bool refuses(GstElementFactory* factory) const;
  // Whether a factory that is allowed by name takes these caps.
  [[nodiscard]] bool has_reader_of(const GstCaps* caps) const;
};

}  // namespace webrtcupload
