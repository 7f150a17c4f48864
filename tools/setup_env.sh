#!/usr/bin/env bash
# Make a virtual environment with versions that are known to work together.
#   tools/setup_env.sh user     DIR   everything that users need; no compiler
#   tools/setup_env.sh dev      DIR   the same and the developer's tools
#   tools/setup_env.sh compiled DIR   the latter with mmcv's operators compiled, in C++
# `dev` completes an environment of `user`.  Finished steps are remembered in DIR/.steps,
# so an interrupted set-up goes on.
set -euo pipefail

kind=${1:-}
venv=${2:-}
if [[ ! $kind =~ ^(user|dev|compiled)$ || -z $venv ]]; then
    echo 'usage: tools/setup_env.sh user|dev|compiled DIR' >&2
    exit 2
fi
python=${PYTHON:-python3.11}
torch=2.13.0
mmcv=2.1.0
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mmattn/wheels
log=$venv/setup.log

fail() {
    echo "set-up failed at: $1" >&2
    [[ -f $log ]] && tail -n 15 "$log" >&2
    echo "what to do: $2" >&2
    exit 1
}

# step NAME ADVICE COMMAND...: run a command once, showing the time it took
step() {
    local name=$1 advice=$2 start=$SECONDS
    shift 2
    grep -qxF "$name" "$venv/.steps" 2>/dev/null && return
    printf '[set-up] %s ... ' "$name"
    "$@" >>"$log" 2>&1 || { echo failed; fail "$name" "$advice"; }
    echo "$((SECONDS - start)) s"
    echo "$name" >>"$venv/.steps"
}

command -v "$python" >/dev/null || fail "finding $python" \
    'install Python 3.11, or name another interpreter: make PYTHON=/path/to/python3.11 ...'
if [[ ! -x $venv/bin/python ]]; then
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail 'making the virtual environment' \
        "install the venv module of $python (Debian: apt-get install python3.11-venv)"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check"
network="check that pip reaches a package index, then run the command again (log: $log)"

build_mmcv() {
    local tag wheels jobs
    tag=$("$venv/bin/python" -c \
        "import sys, torch; print(f'py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}')")
    wheels=$cache/$tag
    jobs=$(env -u OMP_NUM_THREADS nproc) # nproc counts no more than OMP_NUM_THREADS
    if ! compgen -G "$wheels/mmcv-$mmcv-*.whl" >/dev/null; then
        mkdir -p "$wheels"
        # The operators are skipped silently if the build cannot see torch, and pip's
        # own cache may hold a wheel that was built without them or for another torch.
        PATH="$(cd "$venv/bin" && pwd):$PATH" MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$jobs} \
            $pip wheel --no-cache-dir --no-build-isolation --no-deps -w "$wheels.part" "mmcv==$mmcv"
        mv "$wheels.part"/mmcv-*.whl "$wheels/"
        rmdir "$wheels.part"
    fi
    $pip install "$wheels"/mmcv-"$mmcv"-*.whl
    "$venv/bin/python" -c 'import mmcv._ext'
}

# opencv-python (of mmengine) and opencv-contrib-python (of mmaction2) own the same module;
# only the latter has TV-L1.
keep_one_opencv() {
    $pip uninstall -y opencv-python
    $pip install -c "$root/tools/constraints.txt" --force-reinstall --no-deps \
        opencv-contrib-python
    "$venv/bin/python" -c 'import cv2; cv2.optflow'
}

step 'pip and build tools' "$network" $pip install -U 'pip>=24' 'setuptools<81' wheel
step "torch $torch" "$network" $pip install "torch==$torch"
if [[ $kind == compiled ]]; then
    command -v c++ >/dev/null || fail 'finding a C++ compiler' \
        'install one (Debian: apt-get install g++), or do without: make setup'
    step 'ninja and psutil' "$network" $pip install ninja psutil
    step "mmcv $mmcv, compiled on all cores; minutes" \
        "see $log; a compiler that runs out of memory needs fewer jobs: MAX_JOBS=1 make ..." \
        build_mmcv
else
    step "mmcv-lite $mmcv" "$network" $pip install "mmcv-lite==$mmcv"
fi
step 'mmattn and what it needs' "$network" \
    $pip install -c "$root/tools/constraints.txt" -e "$root[export,vis,weights]"
if [[ $kind != user ]]; then
    step "developer's tools" "$network" \
        $pip install -c "$root/tools/constraints.txt" -e "$root[dev,docs]"
fi
if compgen -G "$venv/lib/python*/site-packages/opencv_python-*" >/dev/null; then
    sed -i.old '/^one OpenCV$/d' "$venv/.steps" # the steps above brought it back
    step 'one OpenCV' "$network" keep_one_opencv
fi
