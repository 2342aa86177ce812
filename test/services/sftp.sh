#!/usr/bin/env bash
# sftp.sh - OpenSSH sshd on loopback, SFTP only, with key and password login.
# Verbs: up | down | env | status | purge (see lib.sh)
#
# The login is a system user of its own, mullion-sftp (`useradd`; `purge` removes
# it), because sshd knows no users but the system's. It cannot get a shell.
# Not chrooted: SFTP_ROOT is a path like any other (sshd refuses a ChrootDirectory
# below a world-writable directory such as /tmp).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init sftp

SFTP_PORT=$(port 22)
LOGIN=mullion-sftp
PASSWORD=mullion-Pass1
ROOT=$DIR/root
KEYS=$DIR/keys

svc_env() {
  emit SFTP_HOST "$HOST"
  emit SFTP_PORT "$SFTP_PORT"
  emit SFTP_USER "$LOGIN"
  emit SFTP_PASSWORD "$PASSWORD"
  emit SFTP_PRIVATE_KEY "$KEYS/client"
  emit SFTP_PRIVATE_KEY_RSA "$KEYS/client_rsa"
  emit SFTP_PRIVATE_KEY_ENCRYPTED "$KEYS/client_enc"
  emit SFTP_PASSPHRASE secret
  emit SFTP_KNOWN_HOSTS "$KEYS/known_hosts"
  [ -s "$KEYS/fingerprint" ] && emit SFTP_HOST_FINGERPRINT "$(cat "$KEYS/fingerprint")"
  emit SFTP_ROOT "$ROOT"
}

# sftp-server runs as the login, so every directory above ROOT must let others pass.
share_path() {
  local d=$1 shut=
  while [ "$d" != / ]; do
    setpriv --reuid="$LOGIN" --regid="$LOGIN" --clear-groups test -x "$d" 2>/dev/null || shut=$d
    d=$(dirname "$d")
  done
  [ -z "$shut" ] || die "$LOGIN may not pass $shut: set MULLION_SERVICES_DIR to a place where all may"
}

svc_ok() { alive sshd && greets; }

greets() { # the banner of the protocol, not just an open port
  local line=
  exec 3<>"/dev/tcp/$HOST/$SFTP_PORT" || return 1
  read -r -t 3 line <&3 || true
  exec 3>&-
  [[ $line == SSH-2.0-* ]]
} 2>/dev/null

svc_up() {
  need_pkgs openssh-server openssh-client openssh-sftp-server rclone procps
  getent passwd "$LOGIN" >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "$LOGIN"
  echo "$LOGIN:$PASSWORD" | chpasswd
  mkdir -p "$ROOT" "$KEYS"
  chown "$LOGIN:$LOGIN" "$ROOT"
  local t
  for t in ed25519 rsa ecdsa; do
    [ -s "$KEYS/host_$t" ] || ssh-keygen -q -t "$t" -N '' -C '' -f "$KEYS/host_$t"
  done
  [ -s "$KEYS/client" ] || ssh-keygen -q -t ed25519 -N '' -C mullion -f "$KEYS/client"
  [ -s "$KEYS/client_rsa" ] || ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -C mullion -f "$KEYS/client_rsa"
  [ -s "$KEYS/client_enc" ] || ssh-keygen -q -t ed25519 -N secret -C mullion -f "$KEYS/client_enc"
  cat "$KEYS"/client*.pub >"$KEYS/authorized_keys"
  chmod 644 "$KEYS/authorized_keys"
  for t in ed25519 rsa ecdsa; do
    echo "[$HOST]:$SFTP_PORT $(cut -d' ' -f1,2 "$KEYS/host_$t.pub")"
  done >"$KEYS/known_hosts"
  ssh-keygen -lf "$KEYS/host_ed25519.pub" | awk '{ print $2 }' >"$KEYS/fingerprint"
  share_path "$ROOT"
  cat >"$ETC/sshd_config" <<CONF
ListenAddress $HOST
Port $SFTP_PORT
HostKey $KEYS/host_ed25519
HostKey $KEYS/host_rsa
HostKey $KEYS/host_ecdsa
PidFile none
AllowUsers $LOGIN
AuthorizedKeysFile $KEYS/authorized_keys
# the keys lie in a temporary directory, which StrictModes would refuse
StrictModes no
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin no
PermitTTY no
AllowTcpForwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
X11Forwarding no
PermitUserRC no
UseDNS no
MaxStartups 200
MaxSessions 100
MaxAuthTries 10
LoginGraceTime 30
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
CONF
  mkdir -p /run/sshd # Debian's sshd wants it, and nothing else makes it here
  chmod 755 /run/sshd
  sshd -t -f "$ETC/sshd_config" 9>&- || die "sshd refuses its configuration"
  want_free sshd "$SFTP_PORT"
  start_daemon sshd "$(command -v sshd)" -D -e -f "$ETC/sshd_config"
  wait_for sshd 20 greets
}

svc_down() {
  # sessions in progress are children in groups of their own: end them as well
  local pid
  if alive sshd; then
    for pid in $(awk -v up="$(pid_of sshd)" '{ p = $1; sub(/^.*\) /, ""); if ($2 == up) print p }' /proc/[0-9]*/stat 2>/dev/null); do
      kill "$pid" 2>/dev/null || true
    done
  fi
  stop_daemon sshd
  if [ "${1:-}" = purge ]; then
    if getent passwd "$LOGIN" >/dev/null; then userdel "$LOGIN" 2>/dev/null || true; fi
  fi
}

svc_main "$@"
