#include "http/curl.h"

#include <dlfcn.h>

#include <type_traits>

namespace http {
namespace {

using base::Code;

base::Result<Curl> load() {
  // Never unloaded: libcurl's own threads and exit handlers may outlive a transfer.
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return base::fail(Code::kFailedPrecondition,
                      "libcurl.so.4 is needed (Debian: apt-get install libcurl4)");
  Curl curl;
  bool all = true;
  const auto find = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    all = all && function != nullptr;
  };
  find(curl.global_init, "curl_global_init");
  find(curl.init, "curl_easy_init");
  find(curl.setopt, "curl_easy_setopt");
  find(curl.perform, "curl_easy_perform");
  find(curl.getinfo, "curl_easy_getinfo");
  find(curl.text_of, "curl_easy_strerror");
  find(curl.reset, "curl_easy_reset");
  find(curl.cleanup, "curl_easy_cleanup");
  find(curl.list_append, "curl_slist_append");
  find(curl.list_free, "curl_slist_free_all");
  find(curl.multi_init, "curl_multi_init");
  find(curl.multi_setopt, "curl_multi_setopt");
  find(curl.multi_add, "curl_multi_add_handle");
  find(curl.multi_remove, "curl_multi_remove_handle");
  find(curl.multi_perform, "curl_multi_perform");
  find(curl.multi_poll, "curl_multi_poll");
  find(curl.multi_wakeup, "curl_multi_wakeup");
  find(curl.multi_info, "curl_multi_info_read");
  find(curl.multi_cleanup, "curl_multi_cleanup");
  if (!all || curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return base::fail(Code::kFailedPrecondition, "libcurl.so.4 does not work here");
  return curl;
}

}  // namespace

const base::Result<Curl>& curl_library() {
  static const auto curl = load();
  return curl;
}

}  // namespace http
