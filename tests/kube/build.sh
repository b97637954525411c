#!/bin/sh
# Builds etcd and kube-apiserver, from the versions that go.mod beside this file names, into the user's cache: they take
# minutes to build and 145 MB to keep, so they stay out of the checkout and survive a fresh one.
#   build.sh           builds them unless they are there (in KUBEBUILDER_ASSETS or in the cache)
#   build.sh --where   prints the folder that holds them, or will after a build
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cimaster/kube

say() { printf 'kube: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
built() { [ -x "$1/etcd" ] && [ -x "$1/kube-apiserver" ]; }

version=$(sed -n 's/^[[:space:]]*k8s\.io\/kubernetes \(v[0-9.]*\)\( .*\)\{0,1\}$/\1/p' "$here/go.mod")
key=$(cat "$here/go.mod" "$here/go.sum" "$here/build.sh" | sha256sum | cut -c1-12)
folder=$cache/$version-$key
if [ -n "${KUBEBUILDER_ASSETS:-}" ] && built "$KUBEBUILDER_ASSETS"; then folder=$KUBEBUILDER_ASSETS; fi

if [ "${1:-}" = --where ]; then printf '%s\n' "$folder"; exit 0; fi
if built "$folder"; then exit 0; fi

# Asked inside the module, so that a Go that fetches newer toolchains by itself gets its chance.
go_version=$( (cd "$here" && go env GOVERSION) 2>/dev/null | sed 's/^go//') || go_version=
oldest=$(printf '1.26\n%s\n' "${go_version:-0}" | sort -V | head -n 1)
[ "$oldest" = 1.26 ] || fail "needs Go 1.26 or newer (found: ${go_version:-none}): install it from https://go.dev/dl," \
    "or set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver"

mkdir -p "$cache"
work=$(mktemp -d "$cache/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

minor=${version#v1.}
stamp=k8s.io/component-base/version
flags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}"
flags="$flags -X $stamp.gitTreeState=clean"
build() { (cd "$here" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "$flags" -o "$work/$1" "$2"); }

say "building etcd and kube-apiserver $version into $folder (minutes, once)"
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
chmod 755 "$work"
# Two builds at once are harmless: the second finds the folder taken and keeps the first.
mv -T "$work" "$folder" 2>/dev/null || built "$folder" || fail "cannot move the programs to $folder"
say "ready: $folder"
