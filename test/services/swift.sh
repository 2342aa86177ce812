#!/usr/bin/env bash
# swift.sh - OpenStack Swift, one node, one replica, on loopback.
# Verbs: up | down | env | status | purge (see lib.sh)
#
# Proxy with tempauth (auth v1), SLO, DLO, bulk, tempurl, copy, versioned writes,
# symlinks, quotas, and s3api (an S3 endpoint at the same address).
#
#   MULLION_SWIFT_KEYSTONE=1      also run keystone.sh and a second proxy on the
#                                 same data that takes keystone v3 tokens
#   MULLION_SWIFT_MAX_FILE_SIZE   largest single object in bytes [5 GiB + 2]
#   MULLION_SWIFT_STORE           xfs (loop-mounted sparse file), tmpfs, dir or
#                                 auto [auto: the first of them that works]
#   MULLION_SWIFT_STORE_SIZE      its size [16G]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init swift

PROXY_PORT=$(port 80)
OBJECT_PORT=$(port 81)
CONTAINER_PORT=$(port 82)
ACCOUNT_PORT=$(port 83)
MEMCACHE_PORT=$(port 84)
KPROXY_PORT=$(port 85) # keystone.sh puts this one into its catalog
MAX_FILE_SIZE=${MULLION_SWIFT_MAX_FILE_SIZE:-5368709122}
SRV=$DIR/srv
PY=/usr/bin/python3

with_keystone() { [ "${MULLION_SWIFT_KEYSTONE:-}" = 1 ]; }

svc_env() {
  emit SWIFT_AUTH_URL "http://$HOST:$PROXY_PORT/auth/v1.0"
  emit SWIFT_AUTH_VERSION 1
  emit SWIFT_USER test:tester
  emit SWIFT_KEY testing
  emit SWIFT_ACCOUNT AUTH_test
  emit SWIFT_STORAGE_URL "http://$HOST:$PROXY_PORT/v1/AUTH_test"
  # a second admin of the same account, a user without rights, another account
  emit SWIFT_USER2 test:tester2
  emit SWIFT_KEY2 testing2
  emit SWIFT_PLAIN_USER test:tester3
  emit SWIFT_PLAIN_KEY testing3
  emit SWIFT_OTHER_USER test2:tester2
  emit SWIFT_OTHER_KEY testing2
  emit SWIFT_MAX_FILE_SIZE "$MAX_FILE_SIZE"
  emit SWIFT_S3_ENDPOINT "http://$HOST:$PROXY_PORT"
  emit SWIFT_S3_REGION us-east-1
  emit SWIFT_S3_ACCESS_KEY test:tester
  emit SWIFT_S3_SECRET_KEY testing
  if with_keystone; then
    emit SWIFT_KEYSTONE_PROXY_URL "http://$HOST:$KPROXY_PORT"
    bash "$SELF_DIR/keystone.sh" env 9>&- || true
  fi
}

# Swift keeps its metadata in xattrs, up to some 5 KiB a file (4 KiB of user
# headers at most). ext4 stops at about 4,000 bytes, so it will not do.
xattr_bytes() { # DIR BYTES
  "$PY" - "$1" "$2" <<'PY' 2>/dev/null
import os, sys
path = os.path.join(sys.argv[1], ".xattr-probe")
open(path, "w").close()
try:
    os.setxattr(path, b"user.probe", b"x" * int(sys.argv[2]))
finally:
    os.unlink(path)
PY
}

mount_xfs() {
  local img=$DIR/srv.xfs
  if [ ! -s "$img" ]; then
    command -v mkfs.xfs >/dev/null || need_pkgs xfsprogs
    truncate -s "${MULLION_SWIFT_STORE_SIZE:-16G}" "$img" &&
      mkfs.xfs -q -f "$img" >>"$LOGS/store.log" 2>&1 || { rm -f "$img"; return 1; }
  fi
  mount -o loop,noatime "$img" "$SRV" >>"$LOGS/store.log" 2>&1 || { rm -f "$img"; return 1; }
}
mount_tmpfs() {
  mount -t tmpfs -o "size=${MULLION_SWIFT_STORE_SIZE:-16G},mode=755" mullion-swift "$SRV" 2>>"$LOGS/store.log"
}

prepare_store() {
  mkdir -p "$SRV"
  mountpoint -q "$SRV" && return 0
  local want=${MULLION_SWIFT_STORE:-auto}
  [ "$want" = auto ] && [ -s "$DIR/store" ] && want=$(cat "$DIR/store")
  case $want in
  dir) ;;
  xfs) mount_xfs || die "cannot mount an xfs file (log: $LOGS/store.log)" ;;
  tmpfs) mount_tmpfs || die "cannot mount a tmpfs" ;;
  auto)
    if xattr_bytes "$SRV" 16384; then want=dir
    elif mount_xfs; then want=xfs
    elif mount_tmpfs && xattr_bytes "$SRV" 16384; then want=tmpfs
    elif xattr_bytes "$SRV" 3000; then
      want=dir
      say "note: xattrs here end near 4 KB: objects with much metadata will fail"
    else die "no filesystem with xattrs to be had"; fi
    ;;
  *) die "MULLION_SWIFT_STORE=$want?" ;;
  esac
  echo "$want" >"$DIR/store"
}

write_config() {
  cat >"$ETC/swift.conf" <<CONF
[swift-hash]
swift_hash_path_prefix = mullion
swift_hash_path_suffix = test
[storage-policy:0]
name = gold
aliases = Policy-0
default = yes
[swift-constraints]
max_file_size = $MAX_FILE_SIZE
CONF
  cat >"$ETC/memcache.conf" <<CONF
[memcache]
memcache_servers = $HOST:$MEMCACHE_PORT
CONF
  local kind p
  for kind in account container object; do
    case $kind in
    account) p=$ACCOUNT_PORT ;; container) p=$CONTAINER_PORT ;; *) p=$OBJECT_PORT ;;
    esac
    cat >"$ETC/$kind-server.conf" <<CONF
[DEFAULT]
bind_ip = $HOST
bind_port = $p
workers = 0
user = root
swift_dir = $ETC
devices = $SRV
mount_check = false
fallocate_reserve = 0
recon_cache_path = $DIR/cache
log_level = INFO
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
CONF
  done
  proxy_conf proxy-server "$PROXY_PORT" tempauth
  with_keystone && proxy_conf proxy-keystone "$KPROXY_PORT" keystone
  cat >"$ETC/run.py" <<'PY'
# Runs a Swift server with a swift.conf that is not in /etc/swift.
import os, runpy, sys
import swift.common.utils as utils
conf = sys.argv[2]
utils.SWIFT_CONF_FILE = os.path.join(os.path.dirname(conf), "swift.conf")
server = sys.argv.pop(1)
sys.argv[0] = "/usr/bin/" + server
runpy.run_path(sys.argv[0], run_name="__main__")
PY
}

proxy_conf() { # NAME PORT tempauth|keystone
  local auth=tempauth
  [ "$3" = keystone ] && auth="authtoken s3api s3token keystoneauth"
  [ "$3" = tempauth ] && auth="s3api tempauth"
  cat >"$ETC/$1.conf" <<CONF
[DEFAULT]
bind_ip = $HOST
bind_port = $2
workers = 0
user = root
swift_dir = $ETC
log_level = INFO
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl ratelimit $auth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# With one node there is no other to turn to: never shun it after errors, else
# one failure makes every request a 503 for the next minute.
error_suppression_interval = 0
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = $HOST:$MEMCACHE_PORT
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:ratelimit]
use = egg:swift#ratelimit
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:s3token]
use = egg:swift#s3token
reseller_prefix = AUTH_
auth_uri = http://$HOST:$(port 50)/v3
delay_auth_decision = true
# keystone answers /s3tokens to a service user only
auth_type = password
auth_url = http://$HOST:$(port 50)/v3
username = swift
password = swiftpass
user_domain_id = default
project_name = service
project_domain_id = default
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_tester2 = testing2 .admin
user_test_tester3 = testing3
user_test2_tester2 = testing2 .admin
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = http://$HOST:$(port 50)/v3
auth_url = http://$HOST:$(port 50)/v3
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = service
username = swift
password = swiftpass
delay_auth_decision = true
include_service_catalog = false
memcached_servers = $HOST:$MEMCACHE_PORT
service_token_roles_required = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reader_roles = reader
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
CONF
}

write_rings() {
  "$PY" - "$ETC" "$HOST" "account:$ACCOUNT_PORT" "container:$CONTAINER_PORT" "object:$OBJECT_PORT" <<'PY' >>"$LOGS/rings.log" 2>&1
import os, sys
from swift.common.ring import RingBuilder
etc, host = sys.argv[1:3]
for arg in sys.argv[3:]:
    kind, port = arg.split(":")
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": host, "port": int(port),
                     "replication_ip": host, "replication_port": int(port),
                     "device": "d1", "weight": 1.0})
    builder.rebalance()
    builder.get_ring().save(os.path.join(etc, kind + ".ring.gz"))
PY
}

svc_ok() {
  alive memcached && alive account && alive container && alive object && alive proxy &&
    port_open "$OBJECT_PORT" && port_open "$CONTAINER_PORT" && port_open "$ACCOUNT_PORT" &&
    http_is 200 "http://$HOST:$PROXY_PORT/auth/v1.0" -H 'X-Auth-User: test:tester' -H 'X-Auth-Key: testing' || return 1
  if with_keystone; then
    alive proxy-keystone && http_is 200 "http://$HOST:$KPROXY_PORT/healthcheck" &&
      bash "$SELF_DIR/keystone.sh" status 9>&- 2>/dev/null
  fi
}

swift_up() { # DAEMON SERVER PORT [CONF]
  alive "$1" && return 0
  want_free "$1" "$3"
  start_daemon "$1" "$PY" "$ETC/run.py" "swift-$2" "$ETC/${4:-$2}.conf" -v
}

svc_up() {
  # the last two are clients to test with
  need_pkgs curl memcached swift-account swift-container swift-object swift-proxy python3-swiftclient rclone
  if with_keystone; then
    need_pkgs python3-keystonemiddleware
    bash "$SELF_DIR/keystone.sh" up 9>&- >/dev/null
  fi
  prepare_store
  mkdir -p "$SRV/d1" "$DIR/cache"
  write_config
  [ -s "$ETC/object.ring.gz" ] || write_rings
  if ! alive memcached; then
    want_free memcached "$MEMCACHE_PORT"
    start_daemon memcached memcached -u nobody -l "$HOST" -p "$MEMCACHE_PORT" -U 0 -m 64
  fi
  swift_up account account-server "$ACCOUNT_PORT"
  swift_up container container-server "$CONTAINER_PORT"
  swift_up object object-server "$OBJECT_PORT"
  swift_up proxy proxy-server "$PROXY_PORT"
  if with_keystone; then
    swift_up proxy-keystone proxy-server "$KPROXY_PORT" proxy-keystone
  fi
  wait_for account 60 port_open "$ACCOUNT_PORT"
  wait_for container 60 port_open "$CONTAINER_PORT"
  wait_for object 60 port_open "$OBJECT_PORT"
  wait_for proxy 60 http_is 200 "http://$HOST:$PROXY_PORT/healthcheck"
  if with_keystone; then
    wait_for proxy-keystone 60 http_is 200 "http://$HOST:$KPROXY_PORT/healthcheck"
  fi
  # a whole round trip through all four servers
  wait_for proxy 30 http_is 204 -X POST "http://$HOST:$PROXY_PORT/v1/AUTH_test" -H "X-Auth-Token: $(token)" -H 'X-Account-Meta-Ready: 1'
}

token() {
  curl -s -D - -o /dev/null --noproxy '*' "http://$HOST:$PROXY_PORT/auth/v1.0" \
    -H 'X-Auth-User: test:tester' -H 'X-Auth-Key: testing' 9>&- |
    tr -d '\r' | awk 'tolower($1) == "x-auth-token:" { print $2 }'
}

svc_down() {
  local d
  for d in proxy-keystone proxy object container account memcached; do stop_daemon "$d"; done
  # The loop device goes with its mount.
  if mountpoint -q "$SRV"; then umount "$SRV" || umount -l "$SRV"; fi
}

svc_main "$@"
