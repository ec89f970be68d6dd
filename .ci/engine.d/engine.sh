# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by .ci/engine: a Docker engine, from whatever this machine has.
#
# An engine that answers is used. Else Debian's packages are installed, dockerd is started with the
# storage driver it prefers (vfs where that fails), and stopped again at the end. Refused: going on
# without an engine.

engine_pid=

engine_up() {
    if docker info >/dev/null 2>&1; then return; fi
    command -v dockerd >/dev/null && command -v iptables >/dev/null || install_engine
    start_engine || start_engine --storage-driver vfs || fail "no Docker engine can be started here; see $work/dockerd.log"
}

install_engine() {
    [ "$(id -u)" = 0 ] || fail "no Docker engine runs here, and only root can install one"
    apt-get update -q >/dev/null
    apt-get install -qy --no-install-recommends docker.io iptables >/dev/null
}

start_engine() {
    dockerd "$@" >>"$work/dockerd.log" 2>&1 &
    engine_pid=$!
    until_true 60 engine_answers_or_ended
    docker info >/dev/null 2>&1
}

engine_answers_or_ended() { docker info >/dev/null 2>&1 || ! kill -0 "$engine_pid" 2>/dev/null; }

engine_down() {
    [ -n "$engine_pid" ] || return 0
    kill "$engine_pid" 2>/dev/null && wait "$engine_pid" || true
}

# until_true SECONDS COMMAND...: waits for a condition, and fails when it does not come.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}
