#!/usr/bin/env bash
# xfs.sh - a small XFS file system in a sparse file, where files can share their blocks. Nothing runs.
# Verbs: up | down | env | status | purge (see lib.sh); `down` unmounts. Needs CAP_SYS_ADMIN and a loop device.
#
# XFS_DIR   its root, 512 MiB
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init xfs

ROOT=$DIR/root
IMAGE=$DIR/disk

svc_env() { emit XFS_DIR "$ROOT"; }

svc_ok() { mountpoint -q "$ROOT"; }

svc_up() {
  command -v mkfs.xfs >/dev/null || need_pkgs xfsprogs
  mkdir -p "$ROOT"
  if [ ! -s "$IMAGE" ]; then
    truncate -s 512M "$IMAGE"
    mkfs.xfs -q -f -m reflink=1 "$IMAGE" >>"$LOGS/mkfs.log" 2>&1 || { rm -f "$IMAGE"; die "cannot make a file system (log: $LOGS/mkfs.log)"; }
  fi
  mount -o loop,noatime "$IMAGE" "$ROOT" >>"$LOGS/mount.log" 2>&1 || die "cannot mount $IMAGE (log: $LOGS/mount.log)"
}

svc_down() { ! mountpoint -q "$ROOT" || umount "$ROOT"; }

svc_main "$@"
