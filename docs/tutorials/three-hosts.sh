#!/bin/bash
# Three hosts by hand: build a cluster, save it, lose it, bring it back.
#
# Type what stands behind `on HOST` as root on that host, or run this where all three are reached as
# root by ssh:
#
#   docs/tutorials/three-hosts.sh
#
# The hosts are called etcd-1, etcd-2 and etcd-3, find each other by these names, run systemd, have
# etcdadm in their PATH and no etcd yet. $ON_HOST is another program than ssh, which is called with a
# host's name and a command. In the repository one-machine.sh plays the same on one machine without
# root.
set -euo pipefail

on() {
  echo "--- $1: ${*:2}" >&2
  ${ON_HOST:-ssh -l root} "$@"
}

# 1. The first member. It makes the authority of the cluster's certificates.
on etcd-1 etcdadm init
on etcd-1 /opt/bin/etcdctl.sh put greeting hello

# 2. Two more, each by the URL of any member. They need that authority; here it is copied. `init` has
# also printed a command for them that fetches it by a token.
for host in etcd-2 etcd-3; do
  on "$host" mkdir -p /etc/etcd/pki
  for file in ca.crt ca.key; do
    on etcd-1 cat "/etc/etcd/pki/$file" | on "$host" "umask 077; cat >/etc/etcd/pki/$file"
  done
  on "$host" etcdadm join https://etcd-1:2380
done

# 3. A snapshot. The file gets its name only once it was judged good.
on etcd-1 mkdir -p /backup
on etcd-1 etcdadm snapshot save /backup/etcd-snapshot.db
on etcd-1 etcdadm status

# 4. All is lost, or shall be as it was: every host leaves, its settings stay. The data is moved aside.
on etcd-1 /opt/bin/etcdctl.sh put greeting oops
for host in etcd-1 etcd-2 etcd-3; do
  on "$host" etcdadm reset --keep-config --yes
done

# 5. One host begins anew with what the snapshot holds, the others join it.
on etcd-1 etcdadm snapshot restore /backup/etcd-snapshot.db --data-dir /var/lib/etcd
for host in etcd-2 etcd-3; do
  on "$host" etcdadm join https://etcd-1:2380
done
on etcd-1 etcdadm status
[ "$(on etcd-3 /opt/bin/etcdctl.sh get greeting --print-value-only)" = hello ]
echo "greeting is hello again"
