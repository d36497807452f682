#!/usr/bin/env bash
# Builds the two programs of the oracle into OUT, each inside the tree whose code it asks; nothing is written there.
#   tests/oracle/build.sh KUBEVIRT KUBERNETES OUT
# KUBEVIRT: a KubeVirt checkout at d923fdb815. KUBERNETES: a checkout whose vendor/ holds k8s.io/kubernetes/pkg/apis/core/validation
# and k8s.io/apiextensions-apiserver, 1.34, such as openshift/openshift-apiserver at 56aa2d96ed. Go 1.26 or newer must be in PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$3"
out=$(cd "$3" && pwd)
export GOFLAGS=-mod=vendor GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0
build() { # build TREE PROGRAM
    local tree overlay file separator=""
    tree=$(cd "$1" && pwd)
    overlay="$out/$2.overlay.json"
    {
        printf '{"Replace":{'
        for file in "$here/$2"/*.go; do
            printf '%s"%s/cmd/vmhealth-oracle/%s":"%s"' "$separator" "$tree" "${file##*/}" "$file"
            separator=,
        done
        printf '}}'
    } > "$overlay"
    (cd "$tree" && go build -p "${ORACLE_JOBS:-2}" -overlay "$overlay" -o "$out/oracle-$2" ./cmd/vmhealth-oracle)
    echo "$out/oracle-$2"
}
build "$2" kubernetes
build "$1" kubevirt
