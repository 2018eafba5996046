#!/bin/sh
# Take from the environment at $1 what torch's CUDA build needs on a GPU only: these images compute on the CPU.
# What torch is linked with has to stay, because it is loaded with torch; nothing is to do for a CPU build.
set -eu
target=$1
packages=$(echo "$target"/lib/python3*/site-packages)
if [ -d "$packages/triton" ]; then
  python3 -m pip --python "$target/bin/python" uninstall --yes --quiet triton
fi
if [ -d "$packages/nvidia" ]; then
  ldd "$packages"/torch/lib/libtorch_python.so | awk '$3 ~ /\/nvidia\// { print $3 }' | xargs realpath | sort > /tmp/linked
  # without any the list was not understood, and torch would be broken
  [ -s /tmp/linked ]
  find "$packages/nvidia" -type f ! -name '*.py' ! -iname '*license*' | xargs realpath | sort | comm -23 - /tmp/linked | xargs rm
  find "$packages/nvidia" -xtype l -delete
  rm /tmp/linked
fi
# headers, and the compiler of a message format; torch looks for one program as soon as it is imported
rm -rf "$packages/torch/include" "$packages/torch/share"
find "$packages/torch/bin" -type f ! -name torch_shm_manager -delete
# a module of torch's own tests that only a later Python can compile
rm -f "$packages/torch/testing/_internal/py312_intrinsics.py"
"$target/bin/python" -c 'import torch; torch.nn.Linear(8, 8)(torch.ones(1, 8))'
