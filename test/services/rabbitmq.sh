#!/usr/bin/env bash
# rabbitmq.sh - RabbitMQ on loopback: AMQP 0-9-1, plain and TLS, one user, two virtual hosts.
# Verbs: up | down | env | status | purge (see lib.sh)
#
# RABBITMQ_PYTHON has oslo.messaging, to read notifications as OpenStack's services do.
# A node of its own name with an epmd of its own, so it meets no other Erlang on the machine. The second virtual host
# is called "images/test": a slash in the name has to be encoded in a URL.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init rabbitmq

AMQP_PORT=$(port 672)
TLS_PORT=$(port 673)
EPMD_PORT=$(port 674)
DIST_PORT=$(port 675)
LOGIN=mullion
PASSWORD=mullion-Pass1
TLS=$DIR/tls

svc_env() {
  emit RABBITMQ_HOST "$HOST"
  emit RABBITMQ_PORT "$AMQP_PORT"
  emit RABBITMQ_USER "$LOGIN"
  emit RABBITMQ_PASSWORD "$PASSWORD"
  emit RABBITMQ_URL "amqp://$LOGIN:$PASSWORD@$HOST:$AMQP_PORT/"
  emit RABBITMQ_TLS_URL "amqps://$LOGIN:$PASSWORD@localhost:$TLS_PORT/"
  emit RABBITMQ_CA "$TLS/ca.pem"
  emit RABBITMQ_VHOST2 images/test
  emit RABBITMQ_PYTHON /usr/bin/python3
}

make_tls() {
  [ -s "$TLS/server.pem" ] && return 0
  mkdir -p "$TLS"
  (
    cd "$TLS"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=mullion-test-ca -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:%s\n' "$HOST" >san.cnf
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile san.cnf -out server.new
    mv server.new server.pem
  ) >>"$LOGS/tls.log" 2>&1 9>&- || die "cannot make certificates (log: $LOGS/tls.log)"
}

write_conf() {
  cat >"$ETC/rabbitmq.conf" <<CONF
listeners.tcp.1 = $HOST:$AMQP_PORT
listeners.ssl.1 = $HOST:$TLS_PORT
ssl_options.cacertfile = $TLS/ca.pem
ssl_options.certfile = $TLS/server.pem
ssl_options.keyfile = $TLS/server.key
ssl_options.verify = verify_none
log.console = true
log.console.level = info
log.file = false
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 10MB
load_definitions = $ETC/definitions.json
CONF
  local all='"configure": ".*", "write": ".*", "read": ".*"'
  cat >"$ETC/definitions.json" <<JSON
{
  "users": [{ "name": "$LOGIN", "password": "$PASSWORD", "tags": "administrator" }],
  "vhosts": [{ "name": "/" }, { "name": "images/test" }],
  "permissions": [
    { "user": "$LOGIN", "vhost": "/", $all },
    { "user": "$LOGIN", "vhost": "images/test", $all }
  ]
}
JSON
  echo '[].' >"$ETC/enabled_plugins"
  : >"$ETC/env.conf"
}

export ERL_EPMD_ADDRESS=$HOST ERL_EPMD_PORT=$EPMD_PORT
export RABBITMQ_NODENAME=mullion-$AMQP_PORT@localhost RABBITMQ_DIST_PORT=$DIST_PORT
export RABBITMQ_MNESIA_BASE=$DIR/mnesia RABBITMQ_LOG_BASE=$LOGS RABBITMQ_LOGS=-
export RABBITMQ_CONFIG_FILE=$ETC/rabbitmq RABBITMQ_CONF_ENV_FILE=$ETC/env.conf
export RABBITMQ_ADVANCED_CONFIG_FILE=$ETC/none.config RABBITMQ_ENABLED_PLUGINS_FILE=$ETC/enabled_plugins
# the node listens to other nodes on loopback only, and its schedulers sleep when they have nothing to do
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none'

greets() { # the broker answers the header of the protocol with its first method, not just an open port
  local first=
  exec 3<>"/dev/tcp/$HOST/$AMQP_PORT" || return 1
  printf 'AMQP\0\0\011\001' >&3
  first=$(head -c 1 <&3 | od -An -tu1)
  exec 3>&-
  [ "${first// /}" = 1 ]
} 2>/dev/null

svc_ok() { alive rabbitmq && port_open "$TLS_PORT" && greets; }

svc_up() {
  need_pkgs rabbitmq-server openssl procps python3-oslo.messaging
  local server
  server=$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server) # Debian's wrapper would change the user
  make_tls
  write_conf
  mkdir -p "$DIR/home" "$DIR/mnesia"
  export HOME=$DIR/home # of the cookie
  want_free rabbitmq "$AMQP_PORT" "$TLS_PORT" "$DIST_PORT"
  want_free epmd "$EPMD_PORT"
  ulimit -n 4096 # the Erlang machine makes a table as long as this
  start_daemon epmd epmd -address "$HOST" -port "$EPMD_PORT"
  wait_for epmd 10 port_open "$EPMD_PORT"
  start_daemon rabbitmq "$server"
  wait_for rabbitmq 90 greets
  wait_for rabbitmq 10 port_open "$TLS_PORT"
}

svc_down() {
  stop_daemon rabbitmq TERM 30
  stop_daemon epmd
}

svc_main "$@"
