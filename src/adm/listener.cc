#include "adm/listener.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/channel.h"
#include "adm/handover.h"
#include "pki/cert.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kConnection{10'000}, kLook{500};
constexpr unsigned kAtOnce = 8, kMostWords = 200;
constexpr size_t kFile = size_t{1} << 18;

// Tells how it went, for the listener's own log: never what was asked with.
std::string words_of(Admission admission) {
  switch (admission) {
    case Admission::kGood:
      return "ok";
    case Admission::kWrong:
      return "wrong";
    case Admission::kExpired:
      return "expired";
    case Admission::kClosed:
      return "closed";
  }
  return "?";
}

struct Judged {
  Admission admission = Admission::kClosed;
  Grant grant;  // with kGood
};

class Desk {
 public:
  Desk(const Context& context, const Host& host) : context_(context), host_(host) {}

  // One connection, from its handshake to its end.
  base::Status serve(posix::Stream stream, const std::stop_token& stop) {
    TRY(const auto leaf, read(host_.certs_dir + "/server"));
    TRY(const auto chain, posix::read_file(host_.certs_dir + "/ca.crt", kFile));
    TRY(auto tls, pki::TlsPipe::server(leaf, chain));
    Channel channel(std::move(stream), std::move(tls), posix::deadline_in(kConnection), stop);
    TRY_OK(channel.handshake());
    TRY(const auto line, channel.read_line(kAskLimit));
    TRY(const auto ask, decode_ask(line));
    TRY(const auto judged, judge(ask));
    if (judged.admission != Admission::kGood) {
      context_.say("refused: " + words_of(judged.admission));
      TRY_OK(channel.write(refusal(words_of(judged.admission)) + "\n"));
      channel.end();
      return {};
    }
    const auto handed = ask.rotation ? collect_next() : collect();
    const auto body = handed ? encode(*handed, judged.grant.id, from_hex(judged.grant.key))
                             : base::Result<std::string>(std::unexpected(handed.error()));
    TRY_OK(channel.write(body ? head_of(body->size()) + "\n" + *body
                              : refusal("unready", body.error().message) + "\n"));
    channel.end();
    context_.say(body ? fmt::format("handed over the {}authority for token {}",
                                    ask.rotation ? "next " : "", judged.grant.id)
                      : "could not hand over: " + body.error().message);
    return {};
  }

 private:
  static base::Result<pki::Pair> read(const std::string& base) {
    TRY(auto cert, posix::read_file(base + ".crt", kFile));
    TRY(auto key, posix::read_file(base + ".key", kFile));
    return pki::Pair{std::move(cert), std::move(key)};
  }

  // A wrong one is written down before it is answered: a listener that is started again counts on.
  base::Result<Judged> judge(const Ask& ask) const {
    Judged out;
    TRY_OK(change_book(context_.places(), [&](TokenBook& book) {
      const Grant* found = nullptr;
      out.admission = admit(book, ask.id, ask.proof, context_.clock.now(), &found);
      if (found != nullptr) out.grant = *found;
    }));
    return out;
  }

  [[nodiscard]] base::Result<Handed> collect() const {
    Handed out;
    // A host that joins now would trust what is about to go.
    if (posix::exists(host_.certs_dir + "/ca-next.crt") != base::Fact<bool>(false))
      return base::fail(Code::kFailedPrecondition,
                        "the authority is being rotated: end that first, with `etcdadm certs "
                        "rotate` on each host");
    TRY(const auto ca, read(host_.certs_dir + "/ca"));
    TRY(const bool matches, pki::key_matches(ca.key, ca.cert));
    if (!matches)
      return base::fail(Code::kFailedPrecondition, "its ca.key is not the key of its ca.crt");
    out.certs["ca.crt"] = ca.cert;
    out.keys["ca.key"] = ca.key;
    return out;
  }

  [[nodiscard]] base::Result<Handed> collect_next() const {
    Handed out;
    if (posix::exists(host_.certs_dir + "/ca-next.crt") != base::Fact<bool>(true))
      return base::fail(Code::kFailedPrecondition, "no rotation was begun there");
    TRY(const auto next, read(host_.certs_dir + "/ca-next"));
    out.certs["ca-next.crt"] = next.cert;
    out.keys["ca-next.key"] = next.key;
    return out;
  }

  const Context& context_;
  const Host& host_;
};

}  // namespace

base::Status serve_tokens(const Context& context, const Host& host) {
  const auto places = context.places();
  auto lock = posix::FileLock::try_lock(places.token_lock());
  if (!lock && lock.error().code == Code::kFailedPrecondition)
    return base::fail(Code::kFailedPrecondition, "a listener runs here already");
  if (!lock) return std::unexpected(lock.error());
  TRY(const auto first, load_book(places));
  if (!first.open(context.clock.now()))
    return base::fail(Code::kFailedPrecondition,
                      first.closed() ? "five wrong tokens have closed it: `etcdadm token create` "
                                       "opens it again"
                                     : "there is no token that a host could show: `etcdadm token "
                                       "create` makes one");
  TRY(const auto listener, posix::TcpListener::listen(host.bind_address, first.port));
  context.say(fmt::format("listens at {} port {}", host.bind_address, first.port));
  Desk desk(context, host);
  std::mutex mutex;
  base::Status ended;
  std::atomic<unsigned> ended_badly{0};
  std::stop_source full;  // no more are taken; those that are there are served to their end
  const std::stop_callback both(context.stop, [&] { full.request_stop(); });
  const auto work = [&] {
    while (!full.stop_requested()) {
      auto stream = listener.accept(full.get_token(), posix::deadline_in(kLook));
      if (stream) {
        const auto served = desk.serve(*std::move(stream), context.stop);
        // Whoever knocks without end does not fill the log.
        if (!served && ended_badly++ < kMostWords)
          context.say("a connection ended: " + served.error().message);
      } else if (stream.error().code != Code::kDeadlineExceeded) {
        const std::lock_guard guard(mutex);
        if (ended && !full.stop_requested()) ended = std::unexpected(stream.error());
        full.request_stop();
      }
      const auto book = load_book(places);
      if (!book || !book->open(context.clock.now())) full.request_stop();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < kAtOnce; ++i) threads.emplace_back(work);
  }
  TRY_OK(ended);
  if (context.stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
  const auto book = load_book(places);
  context.say(book && book->closed() ? "closed: five wrong tokens" : "closed: no token is left");
  return {};
}

}  // namespace adm
