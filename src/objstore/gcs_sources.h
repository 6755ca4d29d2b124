// Google's credentials in the forms that users have: a service account's key, a person's refresh
// token, another issuer's token, one in the name of a service account, the metadata server.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "objstore/surroundings.h"
#include "objstore/token.h"

namespace objstore {

struct GcsFile {
  std::string name, text;  // the text is secret
};
// Of a `credentials.json`, by its `type`. Unimplemented: a type that we cannot use.
base::Result<std::unique_ptr<TokenSource>> gcs_from_json(const GcsFile& file,
                                                         const Surroundings& around,
                                                         const Outside& outside);
// Application default credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's own file, the metadata
// server.
base::Result<std::unique_ptr<TokenSource>> gcs_ambient(const Surroundings& around,
                                                       const Outside& outside);

namespace gcs {

struct ServiceAccount {
  std::string email, key_id, key;  // the key is secret
  std::string scope = "https://www.googleapis.com/auth/devstorage.read_write";
  std::string token_uri = "https://oauth2.googleapis.com/token";
};
// The signed assertion that is given for a token: it holds for an hour from `now`.
base::Result<std::string> make_assertion(const ServiceAccount& account, base::Instant now);
// {"access_token": …, "expires_in": …}; the words of an error never hold the token.
base::Result<Token> parse_token(std::string_view text, base::Instant now);

}  // namespace gcs
}  // namespace objstore
