// Any bytes as what a host asks the listener, and as what a listener answers: no crash, limits
// hold, and nothing is taken for good that the token did not seal.
#include <cstdint>

#include "adm/handover.h"
#include "adm/token.h"
#include "fuzz/check.h"

namespace {

using fuzz::require;

const adm::Token kToken{"00c0ffee", "00112233445566778899aabbccddeeff"};

void ask(std::string_view text) {
  if (const auto asked = adm::decode_ask(text))
    require(adm::decode_ask(adm::encode(*asked)) == asked, "what was asked comes back");
}

void answer(std::string_view text) {
  const auto line = text.substr(0, text.find('\n'));
  if (const auto size = adm::decode_head(line))
    require(*size > 0 && *size <= adm::kBodyLimit, "a size has its limit");
  else
    require(size.error().message.size() < 600, "a refusal is short");
  require(adm::refusal("unready", text).find('\n') == std::string::npos, "a refusal is one line");
  require(!adm::decode_handed(text, kToken.id, kToken.key()), "what is not sealed is not taken");
}

// The right key over changed words: whatever opens is what was sealed.
void sealed(std::string_view text) {
  adm::Handed handed;
  handed.certs["ca.crt"] = "C";
  handed.keys["ca.key"] = "K";
  static const std::string kBody = *adm::encode(handed, kToken.id, kToken.key());
  std::string body = kBody;
  for (std::size_t i = 0; i + 2 < text.size() && i < 30; i += 3) {
    const auto at =
        static_cast<unsigned char>(text[i]) * 256U + static_cast<unsigned char>(text[i + 1]);
    body[at % body.size()] = text[i + 2];
  }
  const auto opened = adm::decode_handed(body, kToken.id, kToken.key());
  require(!opened || *opened == handed, "what opens is what was sealed");
}

void token(std::string_view text) {
  if (const auto parsed = adm::parse_token(text))
    require(parsed->text() == text, "a token comes back");
  if (const auto hash = adm::parse_ca_hash(text)) require(hash->size() == 64, "a hash is whole");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  ask(text);
  answer(text);
  sealed(text);
  token(text);
  return 0;
}
