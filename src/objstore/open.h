// A store by the name that users give it, with the credentials that they have.
#pragma once

#include <memory>
#include <string>

#include "objstore/store.h"
#include "objstore/surroundings.h"

namespace objstore {

struct Where {
  // "s3://bucket/prefix", "oss://bucket/prefix", "gs://bucket/prefix", "azblob://container/prefix",
  // "file:///directory" or the path of a directory.
  std::string url;
  // A directory with the files of a Secret in one of the forms of CoreOS's operator; empty: what
  // the machine has.
  std::string secret = {};
  std::string endpoint = {}, region = {};
  bool path_style = false;
  // Of "s3://" alone: as S3Options says.
  std::string storage_class = {}, encryption = {}, kms_key = {};
  std::string ca = {};  // PEM: roots of the servers; empty: the system's
};

// InvalidArgument names what is wrong of the place or of which file of the Secret, never its text.
base::Result<std::unique_ptr<Store>> open_store(const Where& where, const Surroundings& around,
                                                const Outside& outside);

}  // namespace objstore
