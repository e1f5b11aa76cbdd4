#!/usr/bin/env bash
# The manifests of examples/kubernetes against the schema of Kubernetes, strictly: a field that doesn't exist is an error. Nothing of a
# cluster is needed; the checker is a Python package, kept under target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=1.34
venv=target/tools/kubernetes-validate
if [ ! -x "$venv/bin/kubernetes-validate" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install kubernetes-validate==1.37.0
fi
for manifest in examples/kubernetes/*.yaml; do
    case $manifest in
        # Kustomize's own, and loadcmp's.
        */kustomization.yaml | */scenario.yaml) ;;
        *) "$venv/bin/kubernetes-validate" --strict -k "$version" "$manifest" ;;
    esac
done
