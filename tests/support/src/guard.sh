# Runs one private engine and outlives the test that asked for it, so that nothing stays behind even when the test is
# killed: its standard input is a pipe from the test, and the end of the pipe is the end of the engine.
# Usage: guard.sh docker|podman DIR
set -u
family=$1 dir=$2
trap '' INT TERM HUP
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH CONTAINER_HOST

start() {
  case $family in
    docker)
      dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" -H "unix://$dir/engine.sock" \
        --bridge=none --iptables=false --ip6tables=false --shutdown-timeout 3 >>"$dir/log" 2>&1 </dev/null &
      ;;
    podman)
      # It asks the machine's package manager who made its programs: six times for /version, three times for /info.
      # Where dpkg finds no database it answers at once.
      DPKG_ADMINDIR="$dir/no-packages" podman --root "$dir/data" --runroot "$dir/run" --tmpdir "$dir/tmp" system service -t 0 \
        "unix://$dir/engine.sock" >>"$dir/log" 2>&1 </dev/null &
      ;;
  esac
  echo $! >"$dir/engine.pid.new" && mv "$dir/engine.pid.new" "$dir/engine.pid"
}

# Processes that belong to this directory and to nothing else: they carry its unique path in their arguments.
ours() {
  for p in /proc/[0-9]*; do
    [ "${p#/proc/}" = $$ ] && continue
    tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qF "$dir/" && echo "${p#/proc/}"
  done
}

start
while read -r word; do
  case $word in start) start ;; esac
done

if [ -S "$dir/engine.sock" ]; then
  case $family in
    docker)
      D="timeout 10 docker -H unix://$dir/engine.sock"
      $D ps -q --filter status=paused 2>/dev/null | xargs -r $D unpause >/dev/null 2>&1
      $D ps -q 2>/dev/null | xargs -r -P4 -n8 $D kill >/dev/null 2>&1
      ;;
    podman)
      timeout 30 podman --root "$dir/data" --runroot "$dir/run" --tmpdir "$dir/tmp" rm -fa -t 0 >/dev/null 2>&1
      ;;
  esac
fi
pid=$(cat "$dir/engine.pid")
kill "$pid" 2>/dev/null
for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
for p in $(ours); do kill -9 "$p" 2>/dev/null; done
wait "$pid" 2>/dev/null
for m in $(awk -v d="$dir/" 'index($5, d) == 1 {print $5}' /proc/self/mountinfo | sort -r); do umount -l "$m" 2>/dev/null; done
umount -l "$dir" 2>/dev/null
cd /
rm -rf --one-file-system "$dir"
