#include "etcd/bolt/record.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "base/wire.h"
#include "etcd/bolt/page.h"

namespace bolt {
namespace {

constexpr std::size_t kRevisionBytes = 17;

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(base::Code::kDataLoss, std::move(why));
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_number(std::string& out, unsigned field, std::int64_t value) {
  if (value == 0) return;
  append_varint(out, field << 3);
  append_varint(out, static_cast<std::uint64_t>(value));
}

void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  if (bytes.empty()) return;
  append_varint(out, field << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

}  // namespace

std::string Revision::text() const {
  return fmt::format("{}.{}", main, sub);
}

std::uint64_t load_big(std::string_view bytes, std::size_t at) {
  return std::byteswap(load<std::uint64_t>(bytes, at));  // load gives what little endian means
}

void append_big(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

base::Result<Revision> parse_revision(std::string_view key, bool& tombstone) {
  tombstone = key.size() == kRevisionBytes + 1 && key.back() == 't';
  if ((key.size() != kRevisionBytes && !tombstone) || key[8] != '_')
    return bad(fmt::format("a key of {} bytes that is no revision", key.size()));
  const Revision out{static_cast<std::int64_t>(load_big(key, 0)),
                     static_cast<std::int64_t>(load_big(key, 9))};
  if (out.main < 0 || out.sub < 0) return bad("a negative revision");
  return out;
}

base::Result<Record> parse_record(std::string_view key, std::string_view value) {
  Record out;
  TRY(out.revision, parse_revision(key, out.tombstone));
  std::array<std::int64_t, 7> number{};
  base::WireReader wire(value);
  while (const auto field = wire.next()) {
    if (field->number == 1) out.key = field->bytes;
    if (field->number == 5) out.value = field->bytes;
    if (field->number < number.size())
      number[field->number] = static_cast<std::int64_t>(field->value);
  }
  const auto wrong = [&](std::string_view why) {
    return bad(fmt::format("revision {}: {}", out.revision.text(), why));
  };
  if (wire.bad()) return wrong("its value is not a key and a value");
  out.create_revision = number[2];
  out.mod_revision = number[3];
  out.version = number[4];
  out.lease = number[6];
  out.raised = value.empty() && !out.tombstone;
  if (out.raised) return out;
  if (out.key.empty()) return wrong("it has no key");
  if (out.tombstone) {
    if (out.mod_revision != 0 || out.version != 0 || !out.value.empty())
      return wrong("a deletion that holds more than its key");
    return out;
  }
  if (out.mod_revision != out.revision.main)
    return wrong(fmt::format("its value says that it is of revision {}", out.mod_revision));
  if (out.version < 1 || out.create_revision < 1 || out.create_revision > out.mod_revision)
    return wrong(fmt::format("created at {}, version {}", out.create_revision, out.version));
  return out;
}

std::string revision_key(const Revision& revision, bool tombstone) {
  std::string out;
  append_big(out, static_cast<std::uint64_t>(revision.main));
  out += '_';
  append_big(out, static_cast<std::uint64_t>(revision.sub));
  if (tombstone) out += 't';
  return out;
}

std::string record_value(const Record& record) {
  std::string out;
  if (record.raised) return out;
  append_bytes(out, 1, record.key);
  if (record.tombstone) return out;
  append_number(out, 2, record.create_revision);
  append_number(out, 3, record.mod_revision);
  append_number(out, 4, record.version);
  append_bytes(out, 5, record.value);
  append_number(out, 6, record.lease);
  return out;
}

base::Result<Lease> parse_lease(std::string_view key, std::string_view value) {
  if (key.size() != 8) return bad(fmt::format("a key of {} bytes", key.size()));
  std::array<std::int64_t, 4> number{};
  base::WireReader wire(value);
  while (const auto field = wire.next())
    if (field->number < number.size())
      number[field->number] = static_cast<std::int64_t>(field->value);
  const Lease out{.id = number[1], .ttl = number[2], .remaining = number[3]};
  if (wire.bad()) return bad("a lease that cannot be read");
  if (out.id != static_cast<std::int64_t>(load_big(key, 0)))
    return bad(fmt::format("lease {:x} under the key of another", out.id));
  return out;
}

}  // namespace bolt
