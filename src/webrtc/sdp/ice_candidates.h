// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which candidates (RFC 8839) stand in a session description.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace webrtcupload {

// Only the candidates whose address `keeps`. Everything else stays as it is.
[[nodiscard]] std::string keep_candidates(
    const std::string& sdp, const std::function<bool(const std::string& address)>& keeps);

// Names the machine's host candidates of UDP by `addresses`: the port stays, and each address takes
// the place of the machine's own ones of its family. Those of a family that is not among
// `addresses` stay, and so do reflexive and relayed candidates.
[[nodiscard]] std::string announce_addresses(const std::string& sdp,
                                             const std::vector<std::string>& addresses);

}  // namespace webrtcupload
