#!/usr/bin/env bash
# gcs.sh - gcs-fake.mjs, a stand-in for Google Cloud Storage, on loopback. No real
# emulator can be had from npm or Debian; what this one honours stands at its top.
# Verbs: up | down | env | status | purge (see lib.sh)
#
#   MULLION_GCS_TOKEN_SECONDS   life of an access token [3600]
# Buckets and objects are forgotten when it ends.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
svc_init gcs

GCS_PORT=$(port 443)
GCS_AUTH_PORT=$(port 444)
BUCKET=mullion
EMAIL=mullion@mullion-test.iam.gserviceaccount.com

svc_env() {
  emit GCS_ENDPOINT "http://$HOST:$GCS_PORT"
  # the same buckets, but a token is asked for
  emit GCS_AUTH_ENDPOINT "http://$HOST:$GCS_AUTH_PORT"
  emit GCS_BUCKET "$BUCKET"
  emit GCS_PROJECT mullion-test
  emit GCS_CREDENTIALS_FILE "$DIR/service-account.json"
}

make_account() {
  [ -s "$DIR/service-account.json" ] && [ -s "$DIR/public.pem" ] && return 0
  node -e '
    const { generateKeyPairSync, randomBytes } = require("node:crypto");
    const { writeFileSync } = require("node:fs");
    const [dir, email, token] = process.argv.slice(1);
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
    writeFileSync(dir + "/public.pem", publicKey);
    writeFileSync(dir + "/service-account.json", JSON.stringify({ type: "service_account", project_id: "mullion-test",
      private_key_id: randomBytes(20).toString("hex"), private_key: privateKey, client_email: email, client_id: "1",
      token_uri: token }, null, 2), { mode: 0o600 });
  ' "$DIR" "$EMAIL" "http://$HOST:$GCS_AUTH_PORT/token" 9>&-
}

make_bucket() { # 409: it is there already, the process having run all along
  case $(http_code -X POST "http://$HOST:$GCS_PORT/storage/v1/b?project=mullion-test" \
    -H 'Content-Type: application/json' -d "{\"name\":\"$BUCKET\"}") in
  200 | 409) ;;
  *) return 1 ;;
  esac
}

svc_ok() {
  alive gcs && http_is 200 "http://$HOST:$GCS_PORT/storage/v1/b/$BUCKET" &&
    http_is 401 "http://$HOST:$GCS_AUTH_PORT/storage/v1/b/$BUCKET"
}

svc_up() {
  need_pkgs curl rclone
  command -v node >/dev/null || die "no node on the PATH"
  make_account
  want_free gcs "$GCS_PORT" "$GCS_AUTH_PORT"
  start_daemon gcs "$(command -v node)" "$SELF_DIR/gcs-fake.mjs" "$GCS_PORT" "$GCS_AUTH_PORT" "$DIR"
  wait_for gcs 20 http_is 200 "http://$HOST:$GCS_PORT/healthz"
  wait_for gcs 5 make_bucket
}

svc_down() { stop_daemon gcs TERM 5; }

svc_main "$@"
