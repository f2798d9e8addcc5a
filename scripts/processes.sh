# What test.sh and cluster.sh share: starting processes on free ports, and ending exactly those. To be sourced.

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

# marked NAME=VALUE: the ids of all processes that inherited this in their environment. Redis and nginx are not among them, because they write their titles
# over it: those are ended by their ids.
marked() { { grep -lszxF "$1" /proc/[0-9]*/environ || true; } | cut -d/ -f3; }

# A zombie counts as gone: whether and when it is reaped is up to its parent.
alive() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

# stop SECONDS SIGNAL PID…: signal, wait, then kill what is still there.
stop() {
  local deadline=$((SECONDS + $1)) signal=$2 pid
  shift 2
  for pid; do kill "-$signal" "$pid" || true; done
  for pid; do
    while alive "$pid" && ((SECONDS < deadline)); do sleep 0.1; done
    if alive "$pid"; then kill -KILL "$pid" || true; fi
  done
} 2>/dev/null

# Below 32768, where the kernel takes ports for outgoing connections: a client could otherwise be sitting on it. Somebody may still take the port first.
free_port() {
  local port
  while port=$((16000 + RANDOM % 16000)); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
  done
}

# Sets postgres_bin to the first version that is there; 15 first, which CI has.
find_postgres() {
  local version
  for version in 15 16 17 18; do
    postgres_bin=/usr/lib/postgresql/$version/bin
    if [[ -x $postgres_bin/initdb && -x $postgres_bin/postgres ]]; then return 0; fi
  done
  postgres_bin=/usr/lib/postgresql/15/bin
  return 1
}

# PostgreSQL refuses to run as root.
as_postgres() { (cd "$temp" && if ((EUID == 0)); then exec runuser -u postgres -- "$@"; else exec "$@"; fi); }
