#!/usr/bin/env bash
# ceph.sh - a Ceph cluster of one monitor, one manager, one OSD and (unless
# turned off) radosgw with its S3 and Swift APIs, on loopback.
# Verbs: up | down | env | status | purge (see lib.sh)
#
#   MULLION_CEPH_RGW=0            no radosgw (rbd alone starts faster)
#   MULLION_CEPH_MGR=0            no manager (`ceph df`, `ceph status` then know nothing)
#   MULLION_CEPH_STORE            bluestore (a sparse file) or memstore [bluestore]
#   MULLION_CEPH_SIZE             its size in bytes [16 GiB, memstore 4 GiB]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init ceph

MON_PORT=$(port 300)
MSGR_MIN=$(port 310)
MSGR_MAX=$(port 349)
RGW_PORT=$(port 380)
CONF=$ETC/ceph.conf
STORE=${MULLION_CEPH_STORE:-bluestore}
[ "$STORE" = memstore ] && SIZE=${MULLION_CEPH_SIZE:-4294967296} || SIZE=${MULLION_CEPH_SIZE:-17179869184}
ACCESS=mullionaccess
SECRET=mullionsecret0123456789
unset CEPH_ARGS CEPH_KEYRING CEPH_LIB # they would outrank the file
export CEPH_CONF=$CONF

with_rgw() { [ "${MULLION_CEPH_RGW:-1}" = 1 ]; }
with_mgr() { [ "${MULLION_CEPH_MGR:-1}" = 1 ]; }

svc_env() {
  # Not CEPH_CONF, CEPH_KEYRING or CEPH_ARGS: Ceph's own libraries read those
  # from the environment, above any configuration file and for every user.
  emit RBD_CEPH_CONF "$CONF"
  emit RBD_USER images
  emit RBD_POOL images
  emit RBD_KEYRING "$ETC/ceph.client.images.keyring"
  emit RBD_ADMIN_KEYRING "$ETC/ceph.client.admin.keyring"
  emit RBD_MON_HOST "$HOST:$MON_PORT"
  if with_rgw; then
    emit S3_ENDPOINT "http://$HOST:$RGW_PORT"
    emit S3_REGION default
    emit S3_ACCESS_KEY "$ACCESS"
    emit S3_SECRET_KEY "$SECRET"
    emit RGW_SWIFT_AUTH_URL "http://$HOST:$RGW_PORT/auth/v1"
    emit RGW_SWIFT_USER mullion:swift
    emit RGW_SWIFT_KEY mullionswift
  fi
}

write_conf() {
  cat >"$CONF" <<INI
[global]
fsid = $(cat "$DIR/fsid")
mon host = v2:$HOST:$MON_PORT
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
ms bind msgr1 = false
ms bind port min = $MSGR_MIN
ms bind port max = $MSGR_MAX
run dir = $RUN
admin socket =
log file = $LOGS/\$name.log
log to stderr = false
err to stderr = true
mon cluster log file = $LOGS/cluster.log
keyring = $ETC/ceph.\$name.keyring
crash dir = $DIR/crash
pid file =
setuser match path =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush initial weight = 1
mon allow pool delete = true
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
auth allow insecure global id reclaim = false
mon warn on insecure global id reclaim = false
mon data avail crit = 1
mon data avail warn = 2
rbd default features = 61
[mon]
mon data = $DIR/mon
# a lone monitor has nobody to wait for
paxos propose interval = 0.05
paxos min wait = 0.01
mon lease = 5
[mgr]
mgr data = $DIR/mgr
mgr initial modules =
mgr module path = /usr/share/ceph/mgr
[osd]
osd data = $DIR/osd
osd journal = $DIR/osd/journal
osd objectstore = $STORE
osd memory target = 939524096
osd class update on start = false
osd crush update on start = true
osd op num threads per shard = 1
osd op num shards = 4
bluestore block path =
bluestore block size = $SIZE
bluestore block create = true
bluestore fsck on mount = false
bluestore fsck on mkfs = false
bluestore fsck on umount = false
memstore device bytes = $SIZE
[client]
rbd cache = true
[client.rgw]
rgw data = $DIR/rgw
rgw frontends = beast endpoint=$HOST:$RGW_PORT
rgw dns name = localhost
rgw enable usage log = false
rgw enable ops log = false
rgw thread pool size = 32
rgw swift account in url = true
rgw swift url = http://$HOST:$RGW_PORT
rgw gc obj min wait = 5
rgw gc processor period = 10
rgw run sync thread = false
INI
}

c() { timeout 60 ceph -c "$CONF" -n client.admin "$@" 9>&-; }

make_cluster() {
  local fsid monmap=$DIR/monmap key=$DIR/mon.keyring
  say "making a new cluster"
  rm -rf "$DIR/mon" "$DIR/mgr" "$DIR/osd" "$DIR/rgw" "$DIR/crash" "$DIR"/*.keyring
  rm -f "$ETC"/*.keyring "$DIR/ready" "$DIR/pools"
  mkdir -p "$DIR/mon" "$DIR/mgr" "$DIR/osd" "$DIR/rgw" "$DIR/crash"
  fsid=$(cat /proc/sys/kernel/random/uuid)
  echo "$fsid" >"$DIR/fsid"
  write_conf
  {
    ceph-authtool --create-keyring "$ETC/ceph.client.admin.keyring" --gen-key -n client.admin \
      --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *'
    ceph-authtool --create-keyring "$ETC/ceph.mgr.a.keyring" --gen-key -n mgr.a \
      --cap mon 'allow profile mgr' --cap osd 'allow *' --cap mds 'allow *'
    ceph-authtool --create-keyring "$ETC/ceph.osd.0.keyring" --gen-key -n osd.0 \
      --cap mon 'allow profile osd' --cap mgr 'allow profile osd' --cap osd 'allow *'
    ceph-authtool --create-keyring "$ETC/ceph.client.images.keyring" --gen-key -n client.images \
      --cap mon 'profile rbd' --cap osd 'profile rbd pool=images' --cap mgr 'profile rbd pool=images'
    ceph-authtool --create-keyring "$ETC/ceph.client.rgw.keyring" --gen-key -n client.rgw \
      --cap mon 'allow rw' --cap osd 'allow rwx'
    # every key goes into the monitor's first database, which saves five commands
    ceph-authtool --create-keyring "$key" --gen-key -n mon. --cap mon 'allow *'
    local k
    for k in client.admin mgr.a osd.0 client.images client.rgw; do
      ceph-authtool "$key" --import-keyring "$ETC/ceph.$k.keyring"
    done
  } >>"$LOGS/make.log"
  cp "$key" "$ETC/ceph.mon.a.keyring"
  monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:$HOST:$MON_PORT]" "$monmap" >>"$LOGS/make.log" 2>&1
  ceph-mon -c "$CONF" -i a --mkfs --monmap "$monmap" --keyring "$key" >>"$LOGS/make.log" 2>&1 9>&-
  touch "$DIR/made"
}

mon_ok() { c --connect-timeout 5 mon stat; }
osd_up() { c --connect-timeout 5 osd stat -f json 2>/dev/null | grep -Eq '"num_up_osds": ?1[,}]'; }
# The monitor takes a killed OSD for up until it hears otherwise: ask for real I/O.
pool_ok() { timeout 3 rbd -c "$CONF" -n client.admin ls images >/dev/null 2>&1 9>&-; }
rgw_ok() { http_is 200 "http://$HOST:$RGW_PORT/"; }

svc_ok() {
  [ -e "$DIR/ready" ] && alive mon && alive osd && port_open "$MON_PORT" || return 1
  if with_mgr; then alive mgr || return 1; fi
  if with_rgw; then [ -e "$DIR/rgw-ready" ] && alive rgw && rgw_ok || return 1; fi
  osd_up && pool_ok
}

svc_up() {
  local pkgs=(curl ceph-common ceph-mon ceph-osd)
  with_mgr && pkgs+=(ceph-mgr)
  with_rgw && pkgs+=(radosgw awscli)
  need_pkgs "${pkgs[@]}"
  [ -e "$DIR/made" ] || make_cluster
  # memstore forgets everything at its end, the monitor does not: start afresh
  if [ "$(cat "$DIR/store" 2>/dev/null || echo "$STORE")" != "$STORE" ] || { [ "$STORE" = memstore ] && ! alive osd; }; then
    if [ -e "$DIR/osd/type" ]; then
      svc_down
      make_cluster
      rm -f "$DIR/rgw-ready"
    fi
  fi
  echo "$STORE" >"$DIR/store"
  write_conf

  want_free mon "$MON_PORT"
  start_daemon mon ceph-mon -f -c "$CONF" -i a --setuser root --setgroup root
  wait_for mon 60 port_open "$MON_PORT"
  if [ ! -e "$DIR/osd/type" ]; then
    local uuid
    uuid=$(cat /proc/sys/kernel/random/uuid)
    wait_for mon 60 c --connect-timeout 5 osd new "$uuid" 0
    ceph-osd -c "$CONF" -i 0 --mkfs --osd-uuid "$uuid" --setuser root --setgroup root >>"$LOGS/make.log" 2>&1 9>&- ||
      die "ceph-osd --mkfs failed (log: $LOGS/make.log)"
  fi
  start_daemon osd ceph-osd -f -c "$CONF" -i 0 --setuser root --setgroup root
  if with_mgr; then
    start_daemon mgr ceph-mgr -f -c "$CONF" -i a --setuser root --setgroup root
  fi
  wait_for osd 90 osd_up
  if [ ! -e "$DIR/ready" ]; then
    c osd pool create images 8 8 >>"$LOGS/make.log" 2>&1
    c osd pool application enable images rbd >>"$LOGS/make.log" 2>&1
    # what `rbd pool init` does, and a proof that the pool takes writes
    timeout 90 rbd -c "$CONF" -n client.admin pool init images >>"$LOGS/make.log" 2>&1 9>&-
    touch "$DIR/ready"
  fi
  wait_for osd 60 pool_ok
  if with_rgw; then
    want_free rgw "$RGW_PORT"
    start_daemon rgw radosgw -f -c "$CONF" -n client.rgw --setuser root --setgroup root
    wait_for rgw 120 rgw_ok
    if [ ! -e "$DIR/rgw-ready" ]; then
      rgw_users
      touch "$DIR/rgw-ready"
    fi
  fi
}

rgw_users() {
  local a=(timeout 60 radosgw-admin -c "$CONF" -n client.admin)
  "${a[@]}" user create --uid=mullion --display-name=mullion --access-key="$ACCESS" --secret-key="$SECRET" >>"$LOGS/make.log" 2>&1 9>&-
  "${a[@]}" subuser create --uid=mullion --subuser=mullion:swift --access=full --key-type=swift --secret-key=mullionswift >>"$LOGS/make.log" 2>&1 9>&-
}

svc_down() {
  local d
  for d in rgw mgr osd mon; do stop_daemon "$d"; done
}

svc_main "$@"
