// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between the upload's element, which asks on a thread of its own and waits there, and whoever
// decides elsewhere and answers when it can.

#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "tool/common/session_types.h"

namespace webrtcupload {

class PolicyGate {
 public:
  using Ask = std::function<void(const PolicyQuestion&, std::function<void(PolicyAnswer)>)>;

  explicit PolicyGate(Ask ask);
  ~PolicyGate();
  PolicyGate(const PolicyGate&) = delete;
  PolicyGate& operator=(const PolicyGate&) = delete;

  // Waits for the answer, or for stop(), which counts as a yes: what stops asks nobody any more.
  [[nodiscard]] bool allows(const PolicyQuestion& question);
  // What the no was, if there was one.
  [[nodiscard]] std::optional<PolicyAnswer> denial() const;
  void stop();

 private:
  // An answer may come when nobody waits any more.
  struct State;
  const Ask ask_;
  const std::shared_ptr<State> state_;
};

}  // namespace webrtcupload
