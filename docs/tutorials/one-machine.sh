#!/bin/bash
# Three hosts by hand, played on one machine without root: build a cluster, save it, lose it, bring
# it back. Run it from a checkout after `make build`:
#
#   docs/tutorials/one-machine.sh
#
# A "host" here is an address of the loopback interface with folders of its own, which the
# environment tells to etcdadm. On real hosts nothing of that is needed: three-hosts.sh.
set -euo pipefail

bin=$(cd "$(dirname "$0")/../.." && pwd)/build/bin
root=$(mktemp -d)
backup=$root/backup
mkdir -p "$backup"

host() {
  local n=$1
  shift
  echo "--- etcd-$n: $*"
  ETCDADM_NAME=etcd-$n ETCDADM_BIND_ADDRESS=127.79.0.$n \
    ETCDADM_STATE_DIR=$root/$n/state ETCDADM_CERTS_DIR=$root/$n/pki ETCDADM_DATA_DIR=$root/$n/data \
    ETCDADM_CONFIG_DIR=$root/$n/etc ETCDADM_INSTALL_DIR=$root/bin ETCDADM_CACHE_DIR=$root/cache \
    ETCDADM_INIT_SYSTEM=none ETCDADM_CLIENT_PORT=24479 ETCDADM_PEER_PORT=24480 \
    ETCDADM_METRICS_PORT=24481 ETCDADM_TOKEN_PORT=24482 ETCDADM_VERSION=${ETCD_VERSION:-3.5.12} PATH=$bin:$PATH \
    "$@"
}
etcdctl() { # N ARGUMENT…: on host N
  ETCDCTL_API=3 "$root/bin/etcdctl" --cacert "$root/$1/pki/ca.crt" \
    --cert "$root/$1/pki/etcdctl-etcd-client.crt" --key "$root/$1/pki/etcdctl-etcd-client.key" \
    --endpoints "https://127.79.0.$1:24479" "${@:2}"
}
end() {
  for n in 1 2 3; do
    [ ! -e "$root/$n/state/host.json" ] ||
      host "$n" etcdadm reset --yes --delete-data --skip-remove-member >/dev/null 2>&1 || true
  done
  rm -rf "$root"
}
trap end EXIT

# 1. The first member. It makes the authority of the cluster's certificates, and leaves a listener that
# hands it to the others; the command for them is printed.
host 1 etcdadm init
etcdctl 1 put greeting hello

# 2. Two more. `token create` prints the command anew; here it is taken from its JSON. The URL is that
# of any member.
join=$(host 1 etcdadm token create -o json | sed -n 's/^ *"join": "\(.*\)",*$/\1/p')
for n in 2 3; do host "$n" $join; done

# 3. A snapshot. The file gets its name only once it was judged good.
host 1 etcdadm snapshot save "$backup/etcd-snapshot.db"
host 1 etcdadm status

# 4. All is lost, or shall be as it was: every host leaves, its settings stay.
etcdctl 1 put greeting oops
for n in 1 2 3; do host "$n" etcdadm reset --keep-config --yes; done

# 5. One host begins anew with what the snapshot holds, the others join it.
host 1 etcdadm snapshot restore "$backup/etcd-snapshot.db" --data-dir "$root/1/data"
for n in 2 3; do host "$n" etcdadm join https://127.79.0.1:24480; done
host 1 etcdadm status
[ "$(etcdctl 3 get greeting --print-value-only)" = hello ]
echo "greeting is hello again"
