# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by .ci/engine: the stage that every drill plays on, and its props.
#
#   appliance --[xsa-appliances]--> listener --[xsa-stores]--> s3
#
# Two private networks, so that one can be cut. Everything on it is named xsa-*, is made anew for
# each drill, and is the only thing that the drills send to.

readonly image=xml-stream-aggregator:drill store_image=s3s-fs:latest builder_image=${BUILDER_IMAGE:-xsa-builder:stand-in}
readonly bucket=site-events

# The container as the documentation says to run it.
readonly hardened=(--read-only --cap-drop ALL --security-opt no-new-privileges --memory 256m --pids-limit 128)

# stage_up [SETTING=VALUE...]: networks, an empty store, and a listener with an empty spool.
stage_up() {
    ground
    docker run -d --name xsa-s3 --user "$(id -u):$(id -g)" "${at_s3[@]}" -v "$objects:/objects" "$store_image" \
        --host 0.0.0.0 --port 9000 --access-key drill-key --secret-key drill-secret /objects >/dev/null
    listener -e AWS_ENDPOINT_URL=http://s3:9000 "${@/#/-e=}"
    until_true 40 healthy || fail_drill "the listener did not become healthy: $(health)"
}

readonly at_s3=(--network xsa-stores --network-alias s3)

ground() {
    stage_down
    objects=$work/objects
    rm -rf "${objects:?}" && mkdir -p "$objects/$bucket"
    docker network create xsa-appliances >/dev/null
    docker network create --internal xsa-stores >/dev/null
    docker volume create xsa-spool >/dev/null
}

# listener DOCKER_ARGUMENT...: keys as files, a volume, its admin port on this host's loopback.
listener() {
    docker create --name xsa-listener "${hardened[@]}" --network xsa-appliances --network-alias listener \
        -p 127.0.0.1::8081 -v xsa-spool:/data -v "$work/secrets:/run/secrets:ro" -e BUCKET_NAME=$bucket \
        -e AWS_REGION=us-east-1 -e ROTATION_INTERVAL=2s -e INSTANCE_ID=drill "$@" "$image" >/dev/null
    docker network connect xsa-stores xsa-listener
    docker start xsa-listener >/dev/null
}

stage_down() {
    docker rm -f -v xsa-appliance xsa-listener xsa-s3 >/dev/null 2>&1 || true
    docker volume rm xsa-spool >/dev/null 2>&1 || true
    docker network rm xsa-appliances xsa-stores >/dev/null 2>&1 || true
}

# appliance ARGUMENT...: `send` in a container of its own, until it has sent everything.
appliance() { docker run --name xsa-appliance --rm "${sender[@]}" "$@" >"$work/appliance.log" 2>&1; }

# The same, going on beside the drill.
appliance_beside() { docker run --name xsa-appliance -d "${sender[@]}" "$@" >/dev/null; }

readonly sender=("${hardened[@]}" --no-healthcheck --network xsa-appliances "$image" send --to listener:8080)

# The engine's own verdict, by the HEALTHCHECK of the image.
health() { docker inspect -f '{{.State.Health.Status}}' xsa-listener; }
healthy() { [ "$(health)" = healthy ]; }
unhealthy() { [ "$(health)" = unhealthy ]; }

# The port on this host's loopback changes with every start.
admin() { echo "http://$(docker port xsa-listener 8081/tcp | head -1)"; }
status() { python3 .ci/engine.d/check.py status "$(admin)" "$1"; }

# more_than FIELD NUMBER: a count of /api/status has passed a number.
more_than() { [ "$(status "$1" 2>/dev/null || echo 0)" -gt "$2" ]; }
is_true() { [ "$(status "$1" 2>/dev/null)" = true ]; }
gone() { [ "$(docker inspect -f '{{.State.Running}}' "$1")" = false ]; }

# The check that every drill ends with.
nothing_lost() { python3 .ci/engine.d/check.py balanced "$(admin)" "$objects/$bucket" "$@"; }
