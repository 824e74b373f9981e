#!/usr/bin/env bash
# Tests dev/setup with pretended compilers and package tools: nothing is installed, nothing is built.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# A machine that has nothing but the shell's tools; each test adds to it.
new_machine() {
    rm -rf "${work:?}"/*
    mkdir -p "$work/bin" "$work/home"
    : >"$work/calls"
    local tool
    for tool in bash sh cat grep head sed tail tr uname mktemp rm env dirname; do
        ln -s "$(command -v "$tool")" "$work/bin/$tool"
    done
    pretend id 'echo 0'
}

# pretend NAME SCRIPT: a program that notes its call and then does what SCRIPT says.
pretend() {
    printf '#!/bin/sh\necho "%s $*" >>"%s"\n%s\n' "$1" "$work/calls" "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
# pretend_swift TEXT: a compiler that gives its version as TEXT and builds everything.
pretend_swift() { pretend swift "if [ \"\$1\" = --version ]; then echo \"$1\"; fi"; }
# A Debian where every package is installed but those in the pattern.
pretend_debian() {
    pretend dpkg-query "case \"\$4\" in $1) exit 1 ;; *) echo installed ;; esac"
    pretend apt-get true
}

setup() {
    output="$(env -i HOME="$work/home" PATH="$work/bin" bash dev/setup "$@" 2>&1)"
    code=$?
    calls="$(cat "$work/calls")"
}

# verify TITLE CODE [+TEXT in the output | -TEXT not in the output | =TEXT in the calls | ~TEXT not in the calls]…
verify() {
    local title="$1" expected_code="$2" problem="" expectation text
    shift 2
    if [ "$code" -ne "$expected_code" ]; then problem="exit code $code, expected $expected_code"; fi
    for expectation in "$@"; do
        text="${expectation:1}"
        case "$expectation" in
        +*) [[ "$output" == *"$text"* ]] || problem="the output lacks: $text" ;;
        -*) [[ "$output" != *"$text"* ]] || problem="the output has: $text" ;;
        =*) [[ "$calls" == *"$text"* ]] || problem="was not called: $text" ;;
        ~*) [[ "$calls" != *"$text"* ]] || problem="was called: $text" ;;
        esac
    done
    if [ -z "$problem" ]; then
        passed=$((passed + 1))
        echo "ok    setup: $title"
    else
        failed=$((failed + 1))
        echo "FAIL  setup: $title: $problem"
        printf '%s\n--- calls\n%s\n' "$output" "$calls" | sed 's/^/      /'
    fi
}

new_machine
pretend_debian git
setup run
verify "without Swift it says how to install it, and installs nothing" 1 \
    "+needs Swift 6.1 or later, and there is no swift on the PATH" +swiftly +https://www.swift.org/install ~apt-get

mkdir -p "$work/home/.local/share/swiftly"
: >"$work/home/.local/share/swiftly/env.sh"
setup run
verify "with a swiftly that is not on the PATH it says how to get there" 1 "+swiftly is installed" "-curl -O"

for version in "5.10.1" "6.0.3" "4.2"; do
    new_machine
    pretend_debian git
    pretend_swift "Swift version $version (swift-$version-RELEASE)"
    setup run
    verify "Swift $version is too old" 1 "+needs Swift 6.1 or later; $work/bin/swift is ${version%.[0-9]*}" +swiftly ~apt-get "~swift build"
done

new_machine
pretend_debian git
pretend_swift "python-swiftclient 4.1.0"
setup run
verify "another program named swift is not taken for the compiler" 1 "+answers: python-swiftclient 4.1.0" ~apt-get

for version in "6.1" "6.10.2" "7.0" "Apple Swift version 6.2"; do
    new_machine
    pretend_debian none
    pretend_swift "Swift version ${version#Apple Swift version } (x)"
    setup run
    verify "Swift $version is taken" 0 "=swift build -c release --product ogawa" "~ogawaPackageTests" "~apt-get"
done

new_machine
pretend_debian none
pretend_swift "Swift version 6.3.1 (x)"
setup test
verify "the tests are built in the same folder, after the product" 0 \
    $'=swift build -c release --product ogawa\nswift build -c release --product ogawaPackageTests'

new_machine
pretend_debian "git*|zlib1g-dev*"
pretend_swift "Swift version 6.3.1 (x)"
setup run
verify "what is missing is named with the reason, and only that is installed" 0 \
    "+zlib1g-dev           unpacks gzip" "+git                  fetches" "-libsimdjson-dev  " \
    "=apt-get -q update" "=apt-get -q install -y --no-install-recommends git zlib1g-dev" ~sudo ~mosquitto
verify "the package lists are fetched once" 0 "~update"$'\n'"apt-get -q update"

new_machine
pretend_debian libcurl4
pretend_swift "Swift version 6.3.1 (x)"
pretend git true
setup run
verify "a library under Ubuntu's t64 name counts" 0 ~apt-get

new_machine
pretend_debian "git*|chromium*"
pretend_swift "Swift version 6.3.1 (x)"
pretend git true
pretend google-chrome true
setup test
verify "a program that came from elsewhere makes its package unnecessary" 0 ~apt-get

new_machine
pretend_debian "git*"
pretend_swift "Swift version 6.3.1 (x)"
pretend id 'echo 1000'
# shellcheck disable=SC2016 # The variables are those of the pretended program.
pretend sudo 'if [ "$1" != -v ]; then exec "$@"; fi'
setup run
verify "who is not root gets there by sudo" 0 "=sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install"

rm "$work/bin/sudo"
: >"$work/calls"
setup run
verify "without sudo it says what root has to type" 1 "+As root, run:" "+install -y --no-install-recommends git" ~apt-get

new_machine
pretend_debian "git*"
pretend_swift "Swift version 6.3.1 (x)"
# shellcheck disable=SC2016
pretend apt-get 'case "$2" in install) echo "E: Unable to locate package git"; exit 100 ;; esac'
setup run
verify "what apt-get says is shown when it fails" 1 "+| E: Unable to locate" "+could not install: git" "~swift build"

new_machine
pretend_debian "chromium*"
pretend_swift "Swift version 6.3.1 (x)"
# shellcheck disable=SC2016
pretend apt-get 'case "$2" in install) exit 100 ;; esac'
setup test
verify "without a browser the other tests still run" 0 "+no chromium here" "=swift build -c release --product ogawaP"

new_machine
pretend_debian "libncurses6*"
# The compiler starts once apt-get has installed the library.
pretend swift "if [ \"\$1\" != --version ]; then exit 0; fi
if grep -q 'install.*libncurses6' '$work/calls'; then echo 'Swift version 6.3.1 (x)'; exit 0; fi
echo 'swift: error while loading shared libraries: libncurses.so.6' >&2; exit 127"
setup run
verify "a compiler that lacks a library gets it" 0 "+Swift version 6.3.1 at" "=install -y --no-install-recommends libncurses6"

new_machine
pretend_debian none
pretend swift 'echo "swift: error while loading shared libraries: libnew.so.1" >&2; exit 127'
setup run
verify "a compiler that lacks an unknown library names it" 1 "+libnew.so.1" "~swift build"

new_machine
pretend_debian none
# shellcheck disable=SC2016
pretend swift 'if [ "$1" = build ]; then echo "error: no"; exit 1; fi; echo "Swift version 6.3.1 (x)"'
setup test
verify "a failed build is said" 1 "+ogawa was not built" "~ogawaPackageTests"

new_machine
pretend_swift "Swift version 6.3.1 (x)"
setup run
verify "on another system the packages are named" 0 "+neither Debian nor Ubuntu" +libsimdjson-dev "=swift build"

setup sing
verify "an unknown word gets the usage" 2 "+usage: dev/setup"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
