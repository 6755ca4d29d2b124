// Google's tokens for who is known to somebody else: a token of another issuer is given for one of
// Google's, and that for one of a service account. For gcs_sources.cc.
#pragma once

#include <memory>
#include <string_view>

#include "json/value.h"
#include "objstore/surroundings.h"
#include "objstore/token.h"

namespace objstore::gcs {

inline constexpr std::string_view kStorageScope =
    "https://www.googleapis.com/auth/devstorage.read_write";
// Of a token that is only shown to get one of a service account.
inline constexpr std::string_view kCloudScope = "https://www.googleapis.com/auth/cloud-platform";

std::shared_ptr<Asker> make_asker(const Outside& outside, base::Duration attempt);
base::Result<Request> form_request(const std::string& url, const Pairs& fields);

// Of "type": "external_account". Errors name the field; Unimplemented: a source that we do not ask.
base::Result<std::unique_ptr<TokenSource>> by_external_account(const json::Value& value,
                                                               std::string_view scope,
                                                               const Surroundings& around,
                                                               const Outside& outside);
// Of "type": "impersonated_service_account"; `source` is of its "source_credentials".
base::Result<std::unique_ptr<TokenSource>> by_impersonation(const json::Value& value,
                                                            std::unique_ptr<TokenSource> source,
                                                            const Outside& outside);

// {"accessToken": …, "expireTime": …}; the words of an error never hold the token.
base::Result<Token> parse_impersonated(std::string_view text, base::Instant now);

}  // namespace objstore::gcs
