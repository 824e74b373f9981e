#!/usr/bin/env bash
# The check of the console against the real program, with the project that `ogawa init` writes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
: "${OGAWA:=$PWD/.build/release/ogawa}"

if [ -z "${CHROMIUM:-}" ]; then
    echo "no Chromium or Chrome; hint: CHROMIUM=/path/to/chrome make test"
    exit 77
fi

work="$(mktemp -d)"
server=""
# shellcheck disable=SC2317 # The trap calls it.
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

"$OGAWA" init "$work/plant" --template temperature >"$work/init.log" 2>&1 || {
    cat "$work/init.log"
    echo "error: ogawa init failed"
    exit 1
}
"$OGAWA" run "$work/plant" --port 0 --mqtt-port 0 --json >"$work/ready" 2>"$work/server.log" &
server=$!

url=""
for _ in $(seq 300); do
    url="$(sed -n 's/.*"http": *"\([^"]*\)".*/\1/p' "$work/ready" | head -n 1 | sed 's#\\/#/#g')"
    if [ -n "$url" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
done
if [ -z "$url" ]; then
    cat "$work/server.log"
    echo "error: ogawa run did not say that it is ready within 30 seconds"
    exit 1
fi

node dev/console/check.mjs "$url"
code=$?
if [ "$code" -ne 0 ]; then tail -n 20 "$work/server.log"; fi
exit "$code"
