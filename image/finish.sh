#!/bin/sh
# Finish the environment at $1: the front's program under its own name, no files that only development needs,
# compiled modules (the root file system is read-only in a pod), and a list of what is inside.
set -eu
target=$1
packages=$(echo "$target"/lib/python3*/site-packages)
if [ -d "$packages/envoy" ]; then
  # the package's own `envoy` starts a Python that starts the program
  ln -sf "$packages/envoy/_bin/envoy" "$target/bin/envoy"
  chmod 755 "$packages/envoy/_bin/envoy"
fi
# the same runtime a second time, for programs in C
rm -f "$packages"/onnxruntime/capi/libonnxruntime.so.*
find "$packages" -type d \( -name tests -o -name test \) -path '*numpy*' -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete
"$target/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$packages"
mkdir -p "$target/share"
"$target/bin/python" "$(dirname "$0")/sbom.py" > "$target/share/sbom.cdx.json"
