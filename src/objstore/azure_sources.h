// Azure's credentials in the forms that users have: a Secret's files, connection strings, workload
// identity, managed identity.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "objstore/azure.h"
#include "objstore/surroundings.h"

namespace objstore {

// The texts of CoreOS's Secret: `storage-account`, `storage-key`, `cloud` ("AzureChinaCloud";
// empty: the public one).
base::Result<AzureConnection> azure_from_files(const std::string& account, const std::string& key,
                                               const std::string& cloud);
// AZURE_STORAGE_CONNECTION_STRING; AZURE_STORAGE_ACCOUNT with _KEY or _SAS_TOKEN, or with the pod's
// workload identity, or else the machine's managed identity.
base::Result<AzureConnection> azure_ambient(const Surroundings& around, const Outside& outside);

namespace azure {

// Of Entra ID ("expires_in", a number) and of a machine ("expires_on", a text).
base::Result<Token> parse_token(std::string_view text, base::Instant now);

}  // namespace azure
}  // namespace objstore
