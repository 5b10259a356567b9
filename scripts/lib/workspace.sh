# shellcheck shell=bash
# The temporary folder that a run works in, owned by the ordinary user who runs servers and tests.

# PostgreSQL refuses to run as root, so root hands everything to another user.
choose_runner() {
  RUNNER=$(id -un)
  [ "$(id -u)" = 0 ] || return 0
  for RUNNER in postgres nobody; do
    id "$RUNNER" >/dev/null 2>&1 && return
  done
  say "There is neither a user postgres nor a user nobody to run servers as."
  exit 1
}

# as_runner COMMAND...: in the copy of the tree, as the ordinary user, with nothing of our environment but this.
as_runner() {
  local switch=()
  [ "$(id -u)" != 0 ] ||
    switch=(setpriv "--reuid=$RUNNER" "--regid=$(id -g "$RUNNER")" --clear-groups --no-new-privs)
  (cd "$WORKSPACE/tree" && exec "${switch[@]}" env -i \
    PATH="$PG_BIN:/usr/local/bin:/usr/bin:/bin" HOME="$WORKSPACE/home" USER="$RUNNER" LOGNAME="$RUNNER" \
    TMPDIR="$WORKSPACE/tmp" TERM="${TERM:-dumb}" COLUMNS="${COLUMNS:-}" LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC \
    PG_CONFIG="$PG_CONFIG" PG_BIN="$PG_BIN" WORKSPACE="$WORKSPACE" BRAINSAIT_DATA="${BRAINSAIT_DATA:-}" \
    "${RUNNER_ENVIRONMENT[@]}" "$@")
}
RUNNER_ENVIRONMENT=()

# Makes the folder, with a copy of the sources in tree/, and has it removed at the end, whatever the end is.
# Under /var/tmp, which is a disk where /tmp may be memory; the path is short, since a socket's has at most 107 bytes.
open_workspace() {
  choose_runner
  WORKSPACE=$(mktemp -d /var/tmp/brainsait.XXXXXX)
  CHILD=
  trap close_workspace EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir "$WORKSPACE"/{tree,home,tmp,log,results,build}
  tar -cf - --exclude-vcs --exclude=./build --exclude='*.o' --exclude='*.d' --exclude='*.so' \
    --exclude=./tmp_check --exclude=./results . | tar -xf - -C "$WORKSPACE/tree"
  # Real data for tests lies beside the checkout, or where BRAINSAIT_DATA says.
  BRAINSAIT_DATA=$(realpath -q "${BRAINSAIT_DATA:-../shared/data}" || true)
  [ -d "$BRAINSAIT_DATA" ] || BRAINSAIT_DATA=
  [ "$(id -u)" != 0 ] || chown -R "$RUNNER:" "$WORKSPACE"
  if [ -n "$BRAINSAIT_DATA" ] && ! as_runner test -r "$BRAINSAIT_DATA/."; then
    cp -R "$BRAINSAIT_DATA" "$WORKSPACE/data"
    BRAINSAIT_DATA=$WORKSPACE/data
    chown -R "$RUNNER:" "$BRAINSAIT_DATA"
  fi
}

# Stops what still runs, servers included, and removes the folder.
close_workspace() {
  local status=$? pid_file
  set +e
  trap '' INT TERM HUP
  if [ -n "$CHILD" ] && kill -TERM "$CHILD" 2>/dev/null; then
    wait "$CHILD" 2>/dev/null
  fi
  find "$WORKSPACE" -name postmaster.pid 2>/dev/null | while read -r pid_file; do
    as_runner "$PG_BIN/pg_ctl" -D "$(dirname "$pid_file")" -m immediate -w stop >/dev/null 2>&1 </dev/null
  done
  rm -rf "$WORKSPACE"
  exit "$status"
}

# interruptible SECONDS COMMAND...: as the runner, without a terminal to ask, stopped with all its children after
# that time or when we are. Waiting for a child in the background is what lets a signal through at once.
interruptible() {
  local limit=$1 status=0
  shift
  as_runner timeout --kill-after=10 "$limit" "$@" </dev/null &
  CHILD=$!
  wait "$CHILD" || status=$?
  CHILD=
  return "$status"
}
