#include "words.h"

#include <algorithm>

#include "base/text.h"

namespace scenario {
namespace {

std::vector<std::string> cut(const std::string& line) {
  std::vector<std::string> out;
  std::string word;
  bool quoted = false, any = false;
  for (const char ch : line) {
    if (ch == '"') {
      quoted = !quoted;
      any = true;
    } else if (ch == ' ' && !quoted) {
      if (any || !word.empty()) out.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += ch;
    }
  }
  if (quoted) throw Mistake("a quote is not closed");
  if (any || !word.empty()) out.push_back(std::move(word));
  return out;
}

}  // namespace

Words::Words(const std::string& line) {
  for (std::string& word : cut(line)) {
    const auto equals = word.find('=');
    const bool keyed = equals != std::string::npos && equals > 0 && word.find(' ') > equals;
    if (name_.empty()) {
      name_ = std::move(word);
    } else if (keyed) {
      keyed_[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      plain_.push_back(std::move(word));
    }
  }
}

std::string Words::next() {
  if (!more()) throw Mistake(name_ + " needs another word");
  return plain_[at_++];
}

bool Words::take(const std::string& key, std::string& value) {
  const auto at = keyed_.find(key);
  if (at == keyed_.end()) return false;
  value = at->second;
  keyed_.erase(at);
  return true;
}

bool Words::flag(const std::string& word) {
  const auto at = std::find(plain_.begin() + static_cast<std::ptrdiff_t>(at_), plain_.end(), word);
  if (at == plain_.end()) return false;
  plain_.erase(at);
  return true;
}

void Words::done() const {
  if (more()) throw Mistake(name_ + " does not know \"" + plain_[at_] + "\"");
  if (!keyed_.empty()) throw Mistake(name_ + " does not know " + keyed_.begin()->first + "=");
}

void Words::set(const std::string& key, std::string& to) {
  take(key, to);
}

void Words::set(const std::string& key, bool& to) {
  choose<bool>(key, to, {{"yes", true}, {"no", false}});
}

void Words::set(const std::string& key, int& to) {
  std::string value;
  if (take(key, value)) to = static_cast<int>(integer(value));
}

void Words::set(const std::string& key, std::int64_t& to) {
  std::string value;
  if (take(key, value)) to = integer(value);
}

void Words::set(const std::string& key, std::uint64_t& to) {
  std::string value;
  if (take(key, value)) to = static_cast<std::uint64_t>(integer(value));
}

void Words::set(const std::string& key, std::uint32_t& to) {
  std::string value;
  if (take(key, value)) to = static_cast<std::uint32_t>(integer(value));
}

void Words::set(const std::string& key, base::Duration& to) {
  std::string value;
  if (take(key, value)) to = duration(value);
}

void Words::set(const std::string& key, base::Instant& to, base::Instant now, int sign) {
  std::string value;
  if (take(key, value)) to = now + sign * duration(value);
}

base::Duration duration(const std::string& text) {
  const auto value = base::parse_duration(text);
  if (!value) throw Mistake(value.error().message);
  return *value;
}

std::int64_t integer(const std::string& text) {
  const auto value = base::parse_int(text);
  if (!value) throw Mistake("\"" + text + "\" is not a number");
  return *value;
}

std::uint64_t hex(const std::string& text) {
  const auto value = base::parse_hex(text);
  if (!value) throw Mistake("\"" + text + "\" is not an id");
  return *value;
}

}  // namespace scenario
