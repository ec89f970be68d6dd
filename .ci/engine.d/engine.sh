# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by .ci/engine: a Docker engine, from whatever this machine has.
#
# An engine that answers is used. Else Debian's packages are installed, dockerd is started with the
# storage driver it prefers (vfs where that fails), and stopped again at the end, by its id. Refused:
# going on without an engine.

engine_pid=

engine_up() {
    if docker info >/dev/null 2>&1; then return; fi
    for program in docker dockerd iptables; do
        command -v "$program" >/dev/null || { install_packages docker.io iptables; break; }
    done
    if [ -n "${ENGINE_STORAGE:-}" ]; then
        start_engine --storage-driver "$ENGINE_STORAGE" || no_engine
    else
        start_engine || start_engine --storage-driver vfs || no_engine
    fi
}

no_engine() {
    tail -5 "$work/dockerd.log" >&2
    fail "no Docker engine can be started here; see $work/dockerd.log"
}

install_packages() {
    [ "$(id -u)" = 0 ] || fail "$* is missing here, and only root can install it"
    echo "engine: installing $*"
    apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends "$@" >"$work/install.log" 2>&1 \
        || { tail -5 "$work/install.log" >&2; fail "apt-get could not install $*"; }
}

start_engine() {
    engine_down
    dockerd "$@" >>"$work/dockerd.log" 2>&1 &
    engine_pid=$!
    until_true 60 engine_answers_or_ended || true
    docker info >/dev/null 2>&1
}

engine_answers_or_ended() { docker info >/dev/null 2>&1 || ! kill -0 "$engine_pid" 2>/dev/null; }

engine_down() {
    [ -n "$engine_pid" ] || return 0
    kill "$engine_pid" 2>/dev/null && wait "$engine_pid" || true
    engine_pid=
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
