#!/usr/bin/env bash
# Make a virtual environment with versions that are known to work together.
#   tools/setup_env.sh light DIR   recognition only: mmcv-lite, no compiler
#   tools/setup_env.sh full  DIR   everything: mmdet, mmcv with its operators, developer tools
# Finished steps are remembered in DIR/.steps, so an interrupted set-up goes on.
set -euo pipefail

kind=${1:-}
venv=${2:-}
if [[ ! $kind =~ ^(light|full)$ || -z $venv ]]; then
    echo 'usage: tools/setup_env.sh light|full DIR' >&2
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
    printf '[%s] %s ... ' "$kind" "$name"
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

step 'pip and build tools' "$network" \
    $pip install -U 'pip>=24' 'setuptools<81' wheel
step "torch $torch" "$network" $pip install "torch==$torch"

build_mmcv() {
    local tag wheels
    tag=$("$venv/bin/python" -c \
        "import sys, torch; print(f'py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}')")
    wheels=$cache/$tag
    if ! compgen -G "$wheels/mmcv-$mmcv-*.whl" >/dev/null; then
        mkdir -p "$wheels"
        # The operators are skipped silently if the build cannot see torch, and pip's
        # own cache may hold a wheel that was built without them or for another torch.
        PATH="$(cd "$venv/bin" && pwd):$PATH" MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} \
            $pip wheel --no-cache-dir --no-build-isolation --no-deps -w "$wheels.part" "mmcv==$mmcv"
        mv "$wheels.part"/mmcv-*.whl "$wheels/"
        rmdir "$wheels.part"
    fi
    $pip install "$wheels"/mmcv-"$mmcv"-*.whl
    "$venv/bin/python" -c 'from mmcv.ops import RoIAlign'
}

if [[ $kind == light ]]; then
    step "mmcv-lite $mmcv" "$network" $pip install "mmcv-lite==$mmcv"
    extras=''
else
    command -v c++ >/dev/null || fail 'finding a C++ compiler' \
        'install one (Debian: apt-get install g++), or use the light set-up: make demo'
    step 'compiler helpers' "$network" $pip install ninja psutil
    echo "[full] mmcv $mmcv is built from source once: about 7 minutes on 2 cores"
    step "mmcv $mmcv with operators" \
        "see $log; a compiler that runs out of memory needs fewer jobs: MAX_JOBS=1 make ..." \
        build_mmcv
    extras='[det,dev,docs,export,vis]'
fi
step 'mmattn and what it needs' "$network" \
    $pip install -c "$root/tools/constraints.txt" -e "$root$extras"
