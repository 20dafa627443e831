// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/sha256.h"

#include <openssl/evp.h>
#include <utility>

namespace webrtcupload {
namespace {

struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextFree>;

}  // namespace

std::optional<Sha256Sum> parse_sha256(std::string_view text) {
  Sha256Sum sum;
  if (!parse_hex(text, sum)) return std::nullopt;
  return sum;
}

// After create() nothing of it can fail but for want of memory, and never for what the bytes are.
struct Sha256::State {
  Context context;
  // For sum(), so that it needs no memory.
  Context copy;
};

Result<Sha256> Sha256::create() {
  auto state = std::make_unique<State>(
      State{.context = Context(EVP_MD_CTX_new()), .copy = Context(EVP_MD_CTX_new())});
  if (!state->context || !state->copy ||
      EVP_DigestInit_ex(state->context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_MD_CTX_copy_ex(state->copy.get(), state->context.get()) != 1) {
    return Error{ErrorCode::kStorageFailed, "this system's OpenSSL computes no SHA-256"};
  }
  return Sha256(std::move(state));
}

Sha256::Sha256(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sha256::Sha256(Sha256&& other) noexcept = default;
Sha256& Sha256::operator=(Sha256&& other) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

Sha256Sum Sha256::sum() const {
  Sha256Sum sum{};
  EVP_MD_CTX_copy_ex(state_->copy.get(), state_->context.get());
  EVP_DigestFinal_ex(state_->copy.get(), sum.data(), nullptr);
  return sum;
}

}  // namespace webrtcupload
