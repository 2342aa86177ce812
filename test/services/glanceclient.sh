#!/usr/bin/env bash
# glanceclient.sh - Debian's python-glanceclient, unmodified, as a client to test with. Nothing runs.
# Verbs: up | down | env | status | purge (see lib.sh); `down` has nothing to do, the package stays.
#
# GLANCE_CLIENT   the command-line client; its modules belong to the python named in its first line
# GLANCE_PYTHON   that python, with no other python's modules in the way: `import glanceclient` works in it
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init glanceclient

CLIENT=/usr/bin/glance
PYTHON=/usr/bin/python3

svc_env() {
  emit GLANCE_CLIENT "$CLIENT"
  emit GLANCE_PYTHON "$PYTHON"
}

svc_ok() { "$CLIENT" --version && "$PYTHON" -I -c 'import glanceclient.v1.client'; } >/dev/null 2>&1

svc_up() { need_pkgs python3-glanceclient; }

svc_down() { :; }

svc_main "$@"
