// AWS's credentials in the forms that users have: a Secret's files, the environment, profiles,
// roles by web identity, containers, instances.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "objstore/aws_credentials.h"
#include "objstore/surroundings.h"

namespace objstore {

// Beside who asks, what a profile or the environment says of whom to ask.
struct AwsSetup {
  std::unique_ptr<AwsCredentials> credentials;
  std::string region = {}, endpoint = {};
  bool path_style = false, host_style = false;
  std::string source = {};  // "the profile default", "the instance's role"; no secret
};

// The texts of CoreOS's Secret: `credentials` and `config`, with one profile.
struct AwsFiles {
  std::string credentials = {}, config = {};  // may be empty; secret
  std::string profile = "default";
};
base::Result<AwsSetup> aws_from_files(const AwsFiles& files, const Surroundings& around,
                                      const Outside& outside);
// As AWS's own programs look: environment, web identity, the profile of the shared files, the
// container's address, the instance's metadata.
base::Result<AwsSetup> aws_ambient(const Surroundings& around, const Outside& outside);

namespace aws {

// Of STS's XML (AssumeRole…Response) and of the JSON of containers and instances.
base::Result<Kept<AwsKeys>::Fresh> parse_sts(std::string_view xml);
base::Result<Kept<AwsKeys>::Fresh> parse_keys_json(std::string_view text);
// A container's credentials are asked for by http only where nobody can listen.
base::Status check_container_url(const Request& request);

}  // namespace aws
}  // namespace objstore
