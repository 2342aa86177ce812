#!/usr/bin/env bash
# mariadb.sh - a private MariaDB server on loopback, without durable commits
# (test use only).
# Verbs: up | down | env | status | purge (see lib.sh)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init mariadb

DB_PORT=$(port 306)
DATA=$DIR/data

svc_env() {
  emit MYSQL_HOST "$HOST"
  emit MYSQL_PORT "$DB_PORT"
  emit MYSQL_USER mullion
  emit MYSQL_PASSWORD mullion
  emit MYSQL_DATABASE mullion
  emit MYSQL_URL "mysql://mullion:mullion@$HOST:$DB_PORT/mullion"
  emit MYSQL_ADMIN_URL "mysql://admin@$HOST:$DB_PORT/mysql"
}

sql() { # DATABASE STATEMENT
  mariadb --no-defaults --connect-timeout=5 -N -B -h "$HOST" -P "$DB_PORT" \
    -u mullion -pmullion -D "$1" -e "$2" 9>&-
}

svc_ok() { alive mariadb && [ "$(sql mullion 'select 1' 2>/dev/null)" = 1 ]; }

svc_up() {
  need_pkgs mariadb-server-core mariadb-client-core
  if [ ! -e "$DIR/made" ]; then
    rm -rf "$DATA"
    mkdir -p "$DATA"
    mariadb-install-db --no-defaults --user=root --datadir="$DATA" --skip-test-db \
      --auth-root-authentication-method=normal --skip-name-resolve --innodb-log-file-size=32M \
      >>"$LOGS/install.log" 2>&1 9>&- || { tail "$LOGS/install.log" >&2; die "mariadb-install-db failed"; }
    cat >"$DIR/init.sql" <<'SQL'
CREATE DATABASE IF NOT EXISTS mullion CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'mullion'@'127.0.0.1' IDENTIFIED BY 'mullion';
GRANT ALL ON `mullion%`.* TO 'mullion'@'127.0.0.1';
CREATE USER IF NOT EXISTS 'admin'@'127.0.0.1';
GRANT ALL ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;
SQL
    touch "$DIR/made"
  fi
  want_free mariadb "$DB_PORT"
  # A relative socket lies in the data directory, however long that path is.
  start_daemon mariadb mariadbd --no-defaults --user=root --datadir="$DATA" --init-file="$DIR/init.sql" \
    --bind-address="$HOST" --port="$DB_PORT" --socket=mariadb.sock --pid-file="$RUN/mariadbd.pid" \
    --skip-name-resolve --skip-log-bin --innodb-log-file-size=32M --innodb-buffer-pool-size=64M \
    --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --sync-frm=0 --max-connections=200 \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci
  wait_for mariadb 60 sql mullion 'select 1'
}

svc_down() { stop_daemon mariadb; }

svc_main "$@"
