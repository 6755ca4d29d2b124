// etcdadm: clusters of etcd on hosts, by hand.
#include <sys/stat.h>

#include <cstdio>
#include <exception>

#include "bin/carried_guard.h"
#include "bin/command_line.h"
#include "bin/etcdadm_line.h"
#include "etcd/api.h"

int main(int argc, char** argv) {
  // A folder that another user has to go through is made as it is meant, whoever calls.
  ::umask(022);
  try {
    const int exit = bin::run_etcdadm(argc, argv, bin::carried_guard());
    etcd::wait_for_closed_connections();
    return exit;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "etcdadm: broken assumption: %s\n", error.what());
    return bin::kFailed;
  }
}
