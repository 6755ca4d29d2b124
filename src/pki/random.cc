#include "pki/random.h"

#include <openssl/rand.h>

#include "pki/digest.h"

namespace pki {

base::Result<std::string> random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    return base::fail(base::Code::kUnavailable, "the system gives no random bytes");
  return bytes;
}

base::Result<std::string> random_hex(size_t bytes) {
  TRY(const auto raw, random_bytes(bytes));
  return to_hex(raw);
}

}  // namespace pki
