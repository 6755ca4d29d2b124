#include "archive/segment.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "archive/digest_fields.h"
#include "archive/frames.h"
#include "archive/read_fields.h"
#include "archive/seal.h"
#include "base/text.h"
#include "etcd/bolt/page.h"
#include "json/json.h"
#include "pki/digest.h"

namespace archive {
namespace {

using base::Code;

constexpr std::string_view kMagic = "EO-LOG\n\1";  // of this form of the head
constexpr std::int64_t kFormat = 1;
constexpr size_t kFixed = 16;  // magic, length and check sum of the JSON
constexpr size_t kSequenceDigits = 12, kPartDigits = 5;
constexpr std::string_view kLog = "log-", kPart = ".part-", kEnd = ".seg";

std::unexpected<base::Error> bad(std::string_view why) {
  return base::fail(Code::kDataLoss, fmt::format("its head is damaged: {}", why));
}

std::optional<std::int64_t> digits(std::string_view text, size_t count) {
  if (text.size() < count) return {};
  text = text.substr(0, count);
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return base::parse_int(text);
}

bool consistent(const SegmentHead& head) {
  return head.name.sequence >= 1 && head.first >= 1 && head.last >= head.first - 1 &&
         head.last < std::int64_t{1} << 62 && head.begin <= head.end &&
         (head.previous.empty() ? !head.joins : head.previous.size() == 64);
}

}  // namespace

std::string SegmentName::text() const {
  const auto stem = fmt::format("{}/{}{:0{}}", incarnation.text, kLog, sequence, kSequenceDigits);
  if (part == 0) return stem + std::string(kEnd);
  return fmt::format("{}{}{:0{}}{}", stem, kPart, part, kPartDigits, kEnd);
}

std::optional<SegmentName> SegmentName::parse(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos || !key.ends_with(kEnd)) return {};
  auto incarnation = Incarnation::parse(key.substr(0, slash));
  auto rest = key.substr(slash + 1);
  rest.remove_suffix(kEnd.size());
  if (!incarnation || !rest.starts_with(kLog)) return {};
  rest.remove_prefix(kLog.size());
  const auto sequence = digits(rest, kSequenceDigits);
  if (!sequence || *sequence < 1) return {};
  rest.remove_prefix(kSequenceDigits);
  SegmentName out{.incarnation = *std::move(incarnation), .sequence = *sequence, .part = 0};
  if (rest.empty()) return out;
  if (!rest.starts_with(kPart) || rest.size() != kPart.size() + kPartDigits) return {};
  const auto part = digits(rest.substr(kPart.size()), kPartDigits);
  if (!part || *part < 1) return {};
  out.part = *part;
  return out;
}

struct HeadForm {
  std::int64_t format = kFormat;
  std::string name, cluster_namespace, cluster_name;
  SegmentHead head;
};
template <class A, Is<HeadForm> X>
void fields(A& a, X& x) {
  auto& h = x.head;
  a("format", x.format, Need::kYes);
  a("name", x.name, Need::kYes);
  a("namespace", x.cluster_namespace, Need::kYes);
  a("cluster", x.cluster_name, Need::kYes);
  a("clusterID", h.cluster_id, Need::kYes);
  a("epoch", h.epoch, Need::kYes);
  a("nonce", h.nonce, Need::kYes);
  a("base", h.base);
  a("previous", h.previous);
  a("joins", h.joins);
  a("chain", h.chain);
  a("first", h.first, Need::kYes);
  a("last", h.last, Need::kYes);
  a("begin", h.begin, Need::kYes);
  a("end", h.end, Need::kYes);
  a("authRevision", h.users.revision, Need::kYes);
  a("authEnabled", h.users.enabled);
  a("etcdVersion", h.etcd_version, Need::kYes);
  a("records", h.records, Need::kYes);
  a("plain", h.plain, Need::kYes);
  a("data", h.data, Need::kYes);
  a("encryption", h.encryption);
}

namespace {
std::string json_of(const SegmentHead& head) {
  return json::print(write_fields(HeadForm{.name = head.name.text(),
                                           .cluster_namespace = head.cluster.ns,
                                           .cluster_name = head.cluster.name,
                                           .head = head}));
}
}  // namespace

std::string head_bytes(const SegmentHead& head) {
  const auto text = json_of(head);
  std::string out(kMagic);
  bolt::append(out, static_cast<std::uint32_t>(text.size()));
  bolt::append(out, base::crc32c(text));
  return out + text;
}

std::string digest(const SegmentHead& head) {
  return pki::to_hex(pki::sha256(json_of(head)));
}

base::Result<ParsedHead> parse_head(std::string_view bytes, const SegmentName& name) {
  if (bytes.size() < kFixed) return bad("it is cut");
  if (!bytes.starts_with(kMagic.substr(0, kMagic.size() - 1))) return bad("it is no segment");
  if (bytes[kMagic.size() - 1] != kMagic.back())
    return base::fail(Code::kUnimplemented, "it has a form that this program does not know");
  const size_t size = bolt::load<std::uint32_t>(bytes, kMagic.size());
  if (size > kLargestHead) return bad("it is too long");
  if (bytes.size() - kFixed < size) return bad("it is cut");
  const auto text = bytes.substr(kFixed, size);
  if (base::crc32c(text) != bolt::load<std::uint32_t>(bytes, kMagic.size() + 4))
    return bad("its check sum is not the one of its text");
  const auto value = json::parse(text, {.bytes = kLargestHead});
  if (!value) return bad(value.error().message);
  const auto format = json::get_int(*value, "format");
  if (!format) return bad(format.error().message);
  if (*format > kFormat)
    return base::fail(Code::kUnimplemented,
                      fmt::format("it has format {}; this program knows {}", *format, kFormat));
  auto form = read_fields<HeadForm>(*value, /*strict=*/false);
  if (!form) return bad(form.error().message);
  if (form->name != name.text()) return bad("it names " + form->name);
  form->head.name = name;
  form->head.cluster = {form->cluster_namespace, form->cluster_name};
  if (!consistent(form->head)) return bad("its figures contradict each other");
  return ParsedHead{.head = std::move(form->head), .bytes = kFixed + size};
}

// ---- An object, read. --------------------------------------------------------------------------

struct SegmentReader::State {
  SegmentName name;
  const Key* key;
  FrameSink sink;
  std::string waiting;  // until the head is whole
  std::optional<ParsedHead> head;
  std::unique_ptr<Unsealer> unsealer;
  std::optional<FrameReader> frames;

  base::Status begin() {
    TRY(head, parse_head(waiting, name));
    Manifest noted;  // what an unsealer asks for of one
    noted.snapshot = head->head.plain;
    noted.data = head->head.data;
    noted.encryption = head->head.encryption;
    frames.emplace(head->head, sink);
    TRY(unsealer, Unsealer::make(noted, key,
                                 [this](std::string_view bytes) { return frames->write(bytes); }));
    const auto rest = std::exchange(waiting, {});
    return unsealer->write(std::string_view(rest).substr(head->bytes));
  }
  [[nodiscard]] bool head_is_whole() const {
    if (waiting.size() < kFixed) return false;
    return waiting.size() - kFixed >= bolt::load<std::uint32_t>(waiting, kMagic.size()) ||
           waiting.size() > kLargestHead;
  }
};

SegmentReader::SegmentReader(const SegmentName& name, const Key* key, FrameSink sink)
    : state_(std::make_unique<State>()) {
  state_->name = name;
  state_->key = key;
  state_->sink = std::move(sink);
}
SegmentReader::~SegmentReader() = default;

base::Status SegmentReader::write(std::string_view bytes) {
  if (state_->unsealer) return state_->unsealer->write(bytes);
  state_->waiting += bytes;
  return state_->head_is_whole() ? state_->begin() : base::Status();
}

base::Status SegmentReader::finish() {
  if (!state_->unsealer) TRY_OK(state_->begin());  // which says how it is cut
  TRY_OK(state_->unsealer->finish());
  return state_->frames->finish();
}

const SegmentHead& SegmentReader::head() const {
  return state_->head->head;
}

base::Result<std::string> seal_segment(SegmentHead& head, const Key* key,
                                       const std::function<base::Status(objstore::Sink)>& frames,
                                       std::uint64_t expected) {
  std::string data;
  // So that neither growing nor the head in front makes a second copy.
  data.reserve(expected + expected / 64 + 2 * kLargestHead);
  TRY(const auto sealer, Sealer::make(key, [&](std::string_view bytes) {
        data += bytes;
        return base::Status();
      }));
  TRY_OK(frames([&](std::string_view bytes) { return sealer->write(bytes); }));
  TRY_OK(sealer->finish());
  head.plain = sealer->plain();
  head.data = sealer->sealed();
  head.encryption.reset();
  if (key != nullptr) head.encryption = key->encryption();
  data.insert(0, head_bytes(head));
  return data;
}

}  // namespace archive
