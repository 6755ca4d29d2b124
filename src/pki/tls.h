// TLS over bytes that the caller carries: no socket here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pki/issue.h"

namespace pki {

// One side of one connection, for one thread. Whatever an answer is, take() may have bytes that
// belong to the other side afterwards: words of the handshake, or an alert.
class TlsPipe {
 public:
  // TLS 1.3. `chain`: certificates that are sent after the leaf, as PEM. Clients are not asked for
  // one.
  static base::Result<TlsPipe> server(const Pair& leaf, std::string_view chain);
  // TLS 1.2 or newer. NOTHING is verified: whoever trusts the other side has looked at
  // peer_chain().
  static base::Result<TlsPipe> client(const std::string& host);
  TlsPipe(TlsPipe&&) noexcept;
  TlsPipe& operator=(TlsPipe&&) noexcept;
  ~TlsPipe();

  void feed(std::string_view bytes);  // from the other side
  std::string take();                 // for the other side
  // As far as it goes with what was fed. True: done.
  base::Result<bool> handshake();
  base::Status write(std::string_view plain);
  base::Result<std::string> read();  // what was fed, in plain; may be empty
  void end();                        // tells the other side that nothing follows
  [[nodiscard]] bool ended() const;  // the other side told so

  // After the handshake: as PEM, the leaf first; on the server's side empty.
  [[nodiscard]] std::vector<std::string> peer_chain() const;
  // The common names of the authorities whose clients the server takes, as it told us.
  [[nodiscard]] std::vector<std::string> taken_authorities() const;

 private:
  struct Impl;
  explicit TlsPipe(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pki
