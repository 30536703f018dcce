#!/usr/bin/env bash
# Builds the image, brings the compose demo up and makes a video through it, all for real.
#
#   make containers
#
# It needs nothing but Debian, root and apt: what is missing it installs, it starts a Docker daemon
# of its own in a temporary folder, and it makes stand-ins for the base images under their very
# names, so that the files are tried exactly as they are. Outside CI it uses a daemon that is
# already there, with the real images. Either way it leaves no container, volume or daemon behind.
#
# The private daemon leaves the machine's network alone: no firewall rules, no default bridge, no
# forwarding. The networks of the compose file are bridges that need none of it: containers reach
# one another over them, and docker-proxy publishes the ports. Only the build needs the outside,
# and has the host's network for that.
set -euo pipefail
set -m # every step is a process group, which an interrupt can end as a whole

# The newest Debian's Compose and buildx: those of Debian 12 are too old, and these run there too.
readonly PLUGINS_FROM=trixie
readonly YAML_RULES='{extends: default, rules: {document-start: disable, line-length: {max: 120}}}'
readonly TEAM_KEY=sk-demo-team-key-that-everybody-knows # of deploy/gateway.env.example

project=$(cd "$(dirname "$0")/.." && pwd)
python=$project/.venv/bin/python # made by `make`, before anything asks for it
work=$(mktemp -d "${TMPDIR:-/tmp}/gateway-containers.XXXXXX")
checkout=$work/checkout # what a stranger has, and nothing that lies about here
name=gateway-containers-$$
daemon_pid=
step_pid=
export IMAGE=cogvideo-gateway:$name
# Prometheus and Grafana have no stand-ins here: what they are given is tried in tests/deploy.
export COMPOSE_PROFILES=demo
export DOCKER_BUILDKIT=1 BUILDKIT_PROGRESS=plain PIP_DISABLE_PIP_VERSION_CHECK=1

refuse() {
  echo "containers: $1" >&2
  exit 1
}

# step NAME COMMAND...: one line, and on failure the end of what the command had to say.
step() {
  local title=$1 began=$SECONDS
  shift
  # Not in an `if`: bash would ignore `set -e` in all that the command calls.
  ("$@") >"$work/step.log" 2>&1 </dev/null &
  step_pid=$!
  if wait "$step_pid"; then
    printf '  ok      %4d s  %s\n' $((SECONDS - began)) "$title"
  else
    printf '  failed  %4d s  %s\n' $((SECONDS - began)) "$title"
    tail -n 40 "$work/step.log" | sed 's/^/      | /'
    exit 1
  fi
}

# bounded SECONDS COMMAND...: in the step's process group.
bounded() { timeout --foreground --kill-after 10 "$@"; }

# until_true SECONDS COMMAND...
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || { echo "still not true: $*"; return 1; }
    sleep 0.2
  done
}

compose() { (cd "$checkout" && bounded 240 docker compose --project-name "$name" "$@"); }
demo() { compose --profile demo "$@"; }
container() { demo ps --all --quiet "$1"; }
of_project() { docker "$1" ls --quiet --filter "label=com.docker.compose.project=$name" "${@:2}"; }

cleanup() {
  local status=$?
  trap - EXIT INT TERM
  set +e
  {
    [[ -n $step_pid ]] && kill -- "-$step_pid" && wait "$step_pid"
    if docker info; then
      [[ -f $checkout/.env ]] && compose --profile '*' down --volumes --timeout 5
      docker rm --force --volumes "$name"
      docker image rm --force "$IMAGE"
    fi
    if [[ -n $daemon_pid ]]; then
      kill "$daemon_pid"
      until_true 30 daemon_is_gone || kill -KILL "$daemon_pid"
      # Whatever a killed daemon left mounted must go before the folder does.
      awk -v under="$work/" 'index($2, under) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount
    fi
  } >/dev/null 2>&1 </dev/null
  rm -rf --one-file-system "$work"
  exit $status
}
daemon_is_gone() { ! kill -0 "$daemon_pid"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- A Docker to work with ------------------------------------------------------------------------

install_missing() {
  local missing=()
  command -v dockerd || missing+=(docker.io)
  command -v mmdebstrap || missing+=(mmdebstrap)
  ((${#missing[@]})) || return 0
  export DEBIAN_FRONTEND=noninteractive
  bounded 300 apt-get update -qq
  bounded 600 apt-get install -qq -y --no-install-recommends "${missing[@]}"
}

# The mirror that this machine's apt uses.
mirror() {
  local release
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # the dollars are apt's
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk -v release="$release" '$2 == release && !found++ {print $1}'
}

# Out of their packages, into this run's own Docker configuration: nothing is installed. apt checks
# their signatures as ever, only its lists are ours.
fetch_plugins() {
  local apt=$work/apt
  mkdir -p "$apt/lists/partial" "$apt/cache" "$DOCKER_CONFIG/cli-plugins"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $PLUGINS_FROM main" \
    >"$apt/sources.list"
  local options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
  bounded 300 apt-get "${options[@]}" update
  cd "$apt"
  bounded 300 apt-get "${options[@]}" download docker-compose docker-buildx
  for package in ./*.deb; do dpkg -x "$package" unpacked; done
  cp unpacked/usr/libexec/docker/cli-plugins/* "$DOCKER_CONFIG/cli-plugins/"
  docker compose version
  docker buildx version
}

# Namespaces of its own, for the case that a containerd runs here already and is shared.
start_daemon() {
  dockerd --data-root "$work/docker/data" --exec-root "$work/docker/run" \
    --pidfile "$work/docker/pid" --host "$DOCKER_HOST" \
    --containerd-namespace "$name" --containerd-plugins-namespace "$name-plugins" \
    --iptables=false --ip6tables=false --ip-masq=false --ip-forward=false --bridge=none \
    >"$work/docker/log" 2>&1 </dev/null &
  daemon_pid=$!
}

daemon_answers() { until_true 30 docker info || { tail -n 20 "$work/docker/log"; return 1; }; }

# --- Stand-ins for the base images ----------------------------------------------------------------

# Root folder of a CPython 3.12 that can be copied; nothing if there is none (a distribution's own
# is spread over /usr and cannot be).
python312() {
  local candidate prefix
  for candidate in python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12.*/bin/python3.12; do
    prefix=$("$candidate" -c 'import sys; print(sys.base_prefix)' 2>/dev/null) || continue
    [[ $prefix == /usr ]] || { echo "$prefix"; return; }
  done
}

python_in_use() {
  local prefix
  prefix=$(python312)
  echo "${prefix:-the Python of Debian}"
}

make_base() {
  local packages=ca-certificates,netbase,tzdata
  if [[ -n $(python312) ]]; then
    packages+=,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8,zlib1g,libncursesw6,libuuid1,libexpat1
  else
    packages+=,python3,python3-venv,python3-pip
  fi
  apt-config dump | grep '^Acquire::' >"$work/apt.conf"
  bounded 600 mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt="$work/apt.conf" \
    bookworm "$work/base.tar" "$(mirror)"
  bounded 120 docker import "$work/base.tar" stand-in-base
  rm "$work/base.tar"
}

make_python() {
  local context=$work/python prefix
  prefix=$(python312)
  mkdir "$context"
  if [[ -n $prefix ]]; then
    tar --exclude='lib/python3.12/test' --exclude='lib/python3.12/site-packages/*' --exclude='*.a' \
      --exclude=__pycache__ -C "$prefix" -cf "$context/python.tar" .
  else
    tar -cf "$context/python.tar" --files-from=/dev/null
  fi
  bounded 300 docker build --network host --file "$project/deploy/stand-ins/python.Dockerfile" \
    --tag "$(base_image)" "$context"
  rm -r "$context"
}

make_valkey() {
  local context=$work/valkey
  mkdir "$context"
  cp "$project/deploy/stand-ins/valkey-cli" "$context/"
  cp "$("$python" -c \
    'from gateway.store.server_binary import find_server; print(find_server().path)')" \
    "$context/valkey-server"
  bounded 300 docker build --network host --file "$project/deploy/stand-ins/valkey.Dockerfile" \
    --tag "$(store_image)" "$context"
}

# The names that the files use are written in them alone.
base_image() { sed -n 's/^ARG BASE_IMAGE=//p' "$project/Dockerfile"; }
store_image() { sed -n 's/^ *image: \(valkey.*\)$/\1/p' "$project/docker-compose.yml"; }

# --- The files ------------------------------------------------------------------------------------

lint() {
  "$python" -m venv "$work/lint"
  local bin=$work/lint/bin
  bounded 300 "$bin/pip" install -qq --require-hashes -r "$project/deploy/requirements-lint.txt"
  cd "$project"
  "$bin/hadolint" Dockerfile deploy/stand-ins/*.Dockerfile
  "$bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose.*.yml
  "$bin/yamllint" --strict -d "$YAML_RULES" docker-compose.yml deploy/compose.*.yml
  "$bin/shellcheck" deploy/containers.sh deploy/stand-ins/valkey-cli
}

copy_checkout() {
  mkdir "$checkout"
  cd "$project"
  tar -c --exclude=__pycache__ .dockerignore Dockerfile LICENSE README.md deploy docker-compose.yml \
    gateway pyproject.toml requirements.txt | tar -x -C "$checkout"
}

compose_wants_secrets() {
  local said
  touch "$checkout/.env"
  if said=$(compose config --quiet 2>&1); then
    echo "an empty .env was accepted"
    return 1
  fi
  rm "$checkout/.env"
  grep GATEWAY_ADMIN_KEY <<<"$said"
  cp "$checkout/deploy/gateway.env.example" "$checkout/.env"
  demo config --quiet
}

# --- The image ------------------------------------------------------------------------------------

# pip in the build reaches its index the way pip on this machine does: the same index, proxies and
# certificates. They go in as secrets, so no layer has them.
build_image() {
  local pip_conf=$work/pip.conf key value
  printf '[global]\ncert = /run/secrets/ca.pem\n' >"$pip_conf"
  chmod 600 "$pip_conf"
  for key in index-url extra-index-url trusted-host timeout; do
    value=$("$python" -m pip config get "global.$key" 2>/dev/null) || continue
    echo "$key = $value" >>"$pip_conf"
  done
  local options=(--secret "id=pip.conf,src=$pip_conf"
    --secret "id=ca.pem,src=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}")
  for key in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    [[ -z ${!key:-} ]] || options+=(--build-arg "$key")
  done
  [[ -z $daemon_pid ]] || options+=(--network host)
  bounded 900 docker build "${options[@]}" --tag "$IMAGE" "$checkout"
}

megabytes() { docker image inspect --format '{{.Size}}' "$1" | awk '{printf "%.0f", $1 / 1e6}'; }

# The image without any of our files around it: the embedded store, a read-only root, no network.
image_alone() {
  docker run --detach --name "$name" --read-only --tmpfs /tmp --cap-drop ALL --network none \
    --security-opt no-new-privileges "$IMAGE"
  until_true 60 health_is healthy "$name"
  docker exec "$name" gateway slots --verify
  docker stop --time 60 "$name"
  ended_well "$name"
  docker rm --volumes "$name"
}

health_is() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$2") == "$1" ]]; }

# 0, or 143 for one that died of the SIGTERM: both heard it. 137 was killed.
ended_well() {
  local code
  code=$(docker inspect --format '{{.State.ExitCode}}' "$1")
  echo "$1 ended with $code"
  [[ $code == 0 || $code == 143 ]]
}

# --- The demo -------------------------------------------------------------------------------------

free_port() {
  "$python" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

demo_up() { demo up --detach --wait --wait-timeout 120; }

all_are_healthy() {
  local service
  for service in store simulator gateway; do
    echo "$service: $(docker inspect --format '{{.State.Health.Status}}' "$(container $service)")"
    health_is healthy "$(container $service)"
  done
}

# Inside: who runs it, with which rights, and where it may write.
all_are_locked_down() {
  local service said
  for service in store simulator gateway; do
    # tini is process 1; the product is its child, and started with the same rights.
    said=$(demo exec -T $service sh -c 'id -u; grep -E "^(CapEff|NoNewPrivs)" /proc/1/status')
    echo "$service: $said"
    [[ $said != 0* && $said =~ CapEff:[[:space:]]0+$'\n' && $said =~ NoNewPrivs:[[:space:]]1 ]]
    if said=$(demo exec -T $service touch /written 2>&1); then
      echo "$service: its root can be written to"
      return 1
    fi
    grep 'Read-only file system' <<<"$said"
  done
  [[ $(demo exec -T gateway id -u) == 10001 ]]
  demo exec -T gateway sh -c 'touch /data/written && rm /data/written'
}

# Only on this machine's own address, and the store not at all.
only_loopback_is_published() {
  local published
  published=$(docker ps --filter "label=com.docker.compose.project=$name" --format '{{.Names}} {{.Ports}}')
  echo "$published"
  grep -q "127.0.0.1:$GATEWAY_PORT->8000" <<<"$published"
  [[ $published != *0.0.0.0:* && $published != *::* ]]
  [[ -z $(docker port "$(container store)") ]]
}

# first_video OPTIONS...: the task's id is the last line.
first_video() {
  NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 bounded 150 "$project/.venv-sdk/zai-sdk/bin/python" "$project/deploy/first_video.py" "$@" \
    "http://127.0.0.1:$GATEWAY_PORT" "$TEAM_KEY" "$work/video.mp4"
  [[ $(head -c 8 "$work/video.mp4" | tail -c 4) == ftyp ]]
}

make_a_video() { first_video | tee "$work/task"; }

slots_agree() { demo exec -T gateway gateway slots --verify | grep 'agree'; }

# Every answer that a client got is on the disk.
outlives_the_store() {
  demo kill --signal KILL store
  demo_up
  demo restart gateway
  demo_up
  first_video --task "$(tail -n 1 "$work/task")"
}

# The split that deploy/README.md shows: the API in one container, the background work in another.
split_makes_a_video() {
  local split=(--file docker-compose.yml --file deploy/compose.split.yml --profile demo --profile worker)
  compose "${split[@]}" up --detach --wait --wait-timeout 120
  docker inspect --format '{{.Config.Cmd}}' "$(container gateway)" | grep -e --no-worker
  first_video
  slots_agree
}

all_end_on_sigterm() {
  local containers id
  compose --profile '*' stop
  containers=$(of_project container --all)
  [[ $(wc -w <<<"$containers") == 4 ]] # gateway, worker, store, simulator
  for id in $containers; do ended_well "$id"; done
}

nothing_is_left() {
  compose --profile '*' down --volumes
  [[ -z $(of_project container --all) ]]
  [[ -z $(of_project volume) ]]
  [[ -z $(of_project network) ]]
}

# --- All of it ------------------------------------------------------------------------------------

compose_is_new_enough() {
  local version
  version=$(docker compose version --short 2>/dev/null) || return 1
  [[ $(printf '%s\n' 2.20 "${version#v}" | sort --version-sort | head -n 1) == 2.20 ]]
}

if [[ -z ${CI:-} ]] && docker info >/dev/null 2>&1 && compose_is_new_enough; then
  echo "containers: with the Docker that is running here ($(docker info --format '{{.Name}}, {{.ServerVersion}}'))"
  private=
else
  [[ $(id -u) == 0 ]] || refuse "needs root to start a Docker daemon of its own (or a running Docker with Compose 2.20)"
  command -v apt-get >/dev/null || refuse "needs apt to install Docker (or a running Docker with Compose 2.20)"
  echo "containers: with a Docker daemon of its own in $work"
  private=yes
  mkdir "$work/docker"
  export DOCKER_HOST=unix://$work/docker/docker.sock DOCKER_CONFIG=$work/config
  unset DOCKER_CONTEXT
fi

if [[ $private ]]; then
  step "Docker and mmdebstrap are installed" install_missing
  step "Compose and buildx out of Debian's packages" fetch_plugins
  start_daemon
  step "a Docker daemon answers" daemon_answers
fi
step "an unmodified zai-sdk in a virtual environment" make -C "$project" .venv-sdk/zai-sdk/.ready
step "the files pass hadolint, the compose schema, yamllint and shellcheck" lint
if [[ $private ]]; then
  step "stand-in base: Debian bookworm" make_base
  step "stand-in for $(base_image): $(python_in_use)" make_python
  step "stand-in for $(store_image): the embedded store's server" make_valkey
fi

step "a clean copy of the project" copy_checkout
step "Compose refuses to start without an admin key, and takes the example" compose_wants_secrets
step "docker build" build_image
echo "                  $(megabytes "$IMAGE") MB, of which the base image is $(megabytes "$(base_image)") MB"
step "the image alone: healthy with a store of its own, read-only, ends on SIGTERM" image_alone

GATEWAY_PORT=$(free_port) SIMULATOR_PORT=$(free_port)
export GATEWAY_PORT SIMULATOR_PORT
step "docker compose --profile demo up --wait" demo_up
step "every container is healthy" all_are_healthy
step "none runs as root, has a capability or can write to its root" all_are_locked_down
step "only 127.0.0.1 is published, and the store not at all" only_loopback_is_published
step "the SDK makes a video and downloads it" make_a_video
step "slots and records agree" slots_agree
step "the video is still there after a SIGKILL of the store" outlives_the_store
step "gateway and worker apart make a video too" split_makes_a_video
step "all end on SIGTERM" all_end_on_sigterm
step "docker compose down --volumes leaves nothing" nothing_is_left
echo "containers: all is well"
