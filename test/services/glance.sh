#!/usr/bin/env bash
# glance.sh - Debian's OpenStack Glance, unmodified, to make databases and data as the original does. Nothing runs.
# Verbs: up | down | env | status | purge (see lib.sh); `down` has nothing to do, the packages stay. And one more:
#
#   serve DIRECTORY PORT DATABASE   write the configuration into DIRECTORY, bring the database up to date, serve until
#                                   killed. DATABASE is a URL of SQLAlchemy: sqlite:////path, mysql+pymysql://…,
#                                   postgresql+psycopg2://… . Data goes to DIRECTORY/images. Identity headers are
#                                   believed. GLANCE_METADATA_KEY encrypts locations.
#
# GLANCE_SERVICE   this script, for its verb `serve`
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init glance

PY=/usr/bin/python3

svc_env() { emit GLANCE_SERVICE "$SELF_DIR/glance.sh"; }

svc_ok() { "$PY" -I -c 'import glance.cmd.api, glance.cmd.manage, pymysql, psycopg2' >/dev/null 2>&1; }

svc_up() { need_pkgs python3-glance python3-pymysql python3-psycopg2; }

svc_down() { :; }

write_conf() { # DIRECTORY PORT DATABASE
  mkdir -p "$1/images" "$1/locks" "$1/policy.d"
  echo '{}' >"$1/policy.yaml"
  cat >"$1/glance-api.conf" <<CONF
[DEFAULT]
bind_host = $HOST
bind_port = $2
workers = 0
enabled_import_methods = []
show_multiple_locations = true
${GLANCE_METADATA_KEY:+metadata_encryption_key = $GLANCE_METADATA_KEY}
[database]
connection = ${3//\%/%%}
[glance_store]
stores = file,http
default_store = file
filesystem_store_datadir = $1/images
[oslo_concurrency]
lock_path = $1/locks
[oslo_policy]
policy_file = $1/policy.yaml
policy_dirs = $1/policy.d
enforce_scope = false
enforce_new_defaults = false
[paste_deploy]
config_file = $1/paste.ini
CONF
  cat >"$1/paste.ini" <<'CONF'
[pipeline:glance-api]
pipeline = context app
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[composite:app]
paste.composite_factory = glance.api:root_app_factory
/: versions
/v2: v2
[app:versions]
paste.app_factory = glance.api.versions:create_resource
[app:v2]
paste.app_factory = glance.api.v2.router:API.factory
CONF
}

serve() { # DIRECTORY PORT DATABASE
  [ $# -eq 3 ] || die "usage: glance.sh serve DIRECTORY PORT DATABASE"
  svc_ok || die "not installed (run: bash ${BASH_SOURCE[0]} up)"
  write_conf "$@"
  cd "$1"
  "$PY" -I -c 'from glance.cmd.manage import main; main()' --config-file "$1/glance-api.conf" db_sync
  exec "$PY" -I -c 'from glance.cmd.api import main; main()' --config-file "$1/glance-api.conf"
}

if [ "${1:-}" = serve ]; then
  shift
  serve "$@"
fi
svc_main "$@"
