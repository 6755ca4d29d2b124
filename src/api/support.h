// Every field of the API as data: what it means and where it has an effect. FieldsNotActedOn, the
// reference page and the CRDs are made from this table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace api {

enum class Platform { kHost, kKubernetes };

enum class Support {
  kActs,       // since `since`
  kLater,      // planned; accepted and kept, without effect in this version
  kNoMeaning,  // there is nothing on this platform that it could change
  kNever       // of an old API; accepted so that the object still applies
};
std::string_view name_of(Support support);

// Which group's objects have the field.
enum class Has { kBoth, kOperatorEtcdIo, kCoreOs };

struct FieldInfo {
  std::string_view path;  // "spec.storage.spec.storageClassName"; stands for all below it too
  Has has;
  std::string_view type;      // "integer 1 to 9"
  std::string_view fallback;  // the default; empty: none
  Support host, kubernetes;
  std::string_view meaning;
};

std::span<const FieldInfo> field_table();

// The entry of this path or of its nearest parent; null if there is none.
const FieldInfo* find_field(std::string_view path, Has group);

// Of the fields that a user has set, those without effect here, each with the reason in brackets:
// "spec.storage.spec.storageClassName (no meaning on a host)". A parent whose children are named is
// left out.
std::vector<std::string> fields_not_acted_on(std::span<const std::string> seen, Has group,
                                             Platform platform);

}  // namespace api
