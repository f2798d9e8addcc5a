#!/usr/bin/env bash
#
# Starts what docker-compose.yml starts, from real processes and without Docker: PostgreSQL, Redis, hubs, and nginx before
# them, which sends each request to the next hub. All of it is for this run alone, on free ports of 127.0.0.1, and gone
# afterwards.
#
#   scripts/cluster.sh                    until Ctrl-C
#   scripts/cluster.sh --exec 'COMMAND'   runs the command with bash, and ends with its exit code
#   --hubs N                              so many hubs; 3 unless told
#   --no-build                            takes the Release build that is there
#   --set Section__Key=VALUE              a setting for every hub; may be repeated
#
# It needs the .NET 10 SDK, PostgreSQL, Redis and nginx (Debian: postgresql redis-server nginx-light), installs nothing, and
# says what is missing.
#
# COMMAND finds in its environment: ORIVA_URL (nginx), ORIVA_HUB_URLS and ORIVA_HUB_PIDS (in the same order, separated by
# spaces), ORIVA_KEY (signs tokens), ORIVA_POSTGRES and ORIVA_REDIS (as the hubs have them), and ORIVA_RUN, a folder with
# hub-1, hub-2, …: each has log, pid, and start, which starts that hub again after it was stopped or killed.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/processes.sh

readonly hub=Oriva.Realtime.Hub
readonly program=$PWD/$hub/bin/Release/net10.0/$hub.dll

usage() { sed -n '3,20s/^# \{0,1\}//p' "$PWD/scripts/cluster.sh"; }

hubs=3 build=true command='' settings=()
while (($#)); do
  case $1 in
    --hubs) hubs=${2:?--hubs needs a number}; shift ;;
    --exec) command=${2:?--exec needs a command}; shift ;;
    --set) settings+=("${2:?--set needs Section__Key=VALUE}"); shift ;;
    --no-build) build=false ;;
    -h | --help) usage; exit 0 ;;
    *) echo "cluster.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[[ $hubs =~ ^[1-9][0-9]?$ ]] || { echo "cluster.sh: --hubs must be 1 to 99" >&2; exit 2; }

# --- Cleaning up ------------------------------------------------------------------------------------------------------

current='' postgres_data='' redis_pid='' nginx_pid='' temp=''

# Every process started from here inherits this mark, so that cleaning up finds all of them, and nobody else's.
export ORIVA_CLUSTER_RUN="$$-$RANDOM$RANDOM"

die() { say "FAILED: $*" >&2; exit 1; }

# Shows the end of a log, for steps whose output is only interesting when they fail.
die_with() { tail -n 40 "$1" >&2; shift; die "$@"; }

finish() {
  local code=$?
  trap '' INT TERM HUP
  set +e
  if [[ $current ]]; then stop 10 TERM "$current"; wait "$current" 2>/dev/null; fi
  # By their ids: nginx and Redis write their titles over their environment, and with it over the mark.
  if [[ $nginx_pid ]]; then stop 5 TERM "$nginx_pid"; fi
  # Twice: a hub drains at the first SIGTERM, and stops at once at the second. (Bash has its background processes ignore SIGINT.)
  # shellcheck disable=SC2046 # ids, one word each
  if [[ $temp ]]; then
    kill -TERM $(cat "$temp"/hub-*/pid) 2>/dev/null
    sleep 0.3
    stop 20 TERM $(cat "$temp"/hub-*/pid 2>/dev/null)
  fi
  if [[ $redis_pid ]]; then stop 5 TERM "$redis_pid"; fi
  if [[ $postgres_data ]]; then as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate -w stop >/dev/null 2>&1; fi
  # shellcheck disable=SC2046
  stop 5 TERM $(marked "ORIVA_CLUSTER_RUN=$ORIVA_CLUSTER_RUN")
  if [[ $temp ]]; then rm -rf "$temp"; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Under /tmp whatever TMPDIR says: the postgres user must get in, and the path of a socket has to be short.
temp=$(mktemp -d /tmp/oriva-cluster.XXXXXX)
chmod 711 "$temp"

# --- What the machine needs -------------------------------------------------------------------------------------------

find_nginx() { nginx=$(PATH=$PATH:/usr/sbin command -v nginx); }

check_machine() {
  local missing=()
  command -v dotnet >/dev/null || missing+=("the .NET 10 SDK (https://dot.net)")
  find_postgres || missing+=("PostgreSQL 15 or newer (Debian: postgresql)")
  command -v redis-server >/dev/null || missing+=("Redis (Debian: redis-server)")
  find_nginx || missing+=("nginx (Debian: nginx-light)")
  if ((${#missing[@]})); then
    printf 'cluster.sh: %s is not installed\n' "${missing[@]}" >&2
    exit 1
  fi
}

# --- PostgreSQL and Redis ---------------------------------------------------------------------------------------------

start_postgres() {
  local home=$temp/postgres port
  mkdir "$home"
  if ((EUID == 0)); then chown postgres "$home"; fi
  as_postgres "$postgres_bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$temp/initdb.log" 2>&1 ||
    die_with "$temp/initdb.log" "could not create a PostgreSQL cluster"
  postgres_data=$home/data
  port=$(free_port)
  as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -l "$home/log" -w start \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c max_connections=500" >/dev/null 2>&1 ||
    die_with "$home/log" "PostgreSQL did not start"
  export ORIVA_POSTGRES="Host=127.0.0.1;Port=$port;Username=postgres;Database=postgres"
}

start_redis() {
  local port
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$temp" </dev/null >"$temp/redis.log" 2>&1 &
  redis_pid=$!
  disown
  wait_for "$redis_pid" "$temp/redis.log" Redis listens "$port"
  export ORIVA_REDIS="127.0.0.1:$port,abortConnect=false"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Does a hub, or nginx with a hub behind it, say that it is ready?
ready() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" &&
      printf 'GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && read -r -t 5 _ status _ <&3 && [[ $status == 200 ]]
  ) 2>/dev/null
}

# wait_for PID LOG NAME CHECK…: until the check holds; dies with the log when the process does, or after a minute.
wait_for() {
  local pid=$1 log=$2 name=$3 deadline=$((SECONDS + 60))
  shift 3
  until "$@"; do
    alive "$pid" || die_with "$log" "$name has ended"
    ((SECONDS < deadline)) || die_with "$log" "$name is not ready after a minute"
    sleep 0.1
  done
}

# --- Hubs and nginx ---------------------------------------------------------------------------------------------------

random_key() { head -c 48 /dev/urandom | base64 -w 0; }

# What every hub has.
export_settings() {
  export ORIVA_KEY
  ORIVA_KEY=$(random_key)
  export ASPNETCORE_ENVIRONMENT=Production ASPNETCORE_FORWARDEDHEADERS_ENABLED=true DOTNET_gcServer=0
  export Storage__Provider=Postgres ConnectionStrings__Postgres=$ORIVA_POSTGRES ConnectionStrings__Redis=$ORIVA_REDIS
  export Auth__SymmetricKey=$ORIVA_KEY Cluster__Secret Apps__ManifestFolder=$PWD/$hub/manifests
  Cluster__Secret=$(random_key)
  local setting
  for setting in "${settings[@]}"; do export "${setting?}"; done
}

# Each hub can be started again by its own script, so that a command can kill it and bring it back.
start_hub() {
  local folder=$temp/hub-$1
  mkdir "$folder"
  cat >"$folder/start" <<SCRIPT
#!/usr/bin/env bash
cd '$folder' || exit
ASPNETCORE_URLS=http://127.0.0.1:$2 Cluster__NodeId=hub-$1 nohup dotnet '$program' </dev/null >>log 2>&1 &
echo "\$!" >pid
SCRIPT
  chmod +x "$folder/start"
  "$folder/start"
}

# The addresses of deploy/nginx.conf become this run's.
write_nginx_config() {
  local listen=$1
  shift
  awk -v listen="$listen" -v folder="$temp/nginx" -v ports="$*" '
    BEGIN { count = split(ports, port, " "); print "pid " folder "/pid;" }
    /^ *server hub-1:8080/ { for (i = 1; i <= count; i++) { line = $0; sub(/hub-1:8080/, "127.0.0.1:" port[i], line); print line } next }
    /^ *server hub-/ { next }
    /^ *listen / { print "    listen 127.0.0.1:" listen ";"; next }
    { print }
    /^http \{/ { split("client_body proxy fastcgi uwsgi scgi", kind, " ")
      for (i in kind) print "  " kind[i] "_temp_path " folder "/" kind[i] ";" }
  ' deploy/nginx.conf >"$temp/nginx/nginx.conf"
}

start_nginx() {
  local port
  mkdir "$temp/nginx"
  port=$(free_port)
  write_nginx_config "$port" "$@"
  "$nginx" -p "$temp/nginx" -c "$temp/nginx/nginx.conf" -g 'daemon off;' </dev/null >"$temp/nginx/log" 2>&1 &
  nginx_pid=$!
  disown
  wait_for "$nginx_pid" "$temp/nginx/log" nginx ready "$port"
  export ORIVA_URL=http://127.0.0.1:$port
}

# ----------------------------------------------------------------------------------------------------------------------

check_machine
if $build; then
  say "building"
  UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 \
    dotnet build "$hub" -c Release -v quiet >"$temp/build.log" 2>&1 || die_with "$temp/build.log" "build"
fi
[[ -f $program ]] || die "there is no Release build of $hub"

say "starting PostgreSQL, Redis, $hubs hubs and nginx"
start_postgres
start_redis
export_settings
dotnet "$program" --migrate >"$temp/migrate.log" 2>&1 || die_with "$temp/migrate.log" "the store could not be migrated"

export ORIVA_RUN=$temp ORIVA_HUB_URLS='' ORIVA_HUB_PIDS=''
ports=()
for ((i = 1; i <= hubs; i++)); do
  ports+=("$(free_port)")
  start_hub "$i" "${ports[-1]}"
done
for ((i = 1; i <= hubs; i++)); do
  pid=$(<"$temp/hub-$i/pid")
  wait_for "$pid" "$temp/hub-$i/log" "hub-$i" ready "${ports[i - 1]}"
  ORIVA_HUB_PIDS+="${ORIVA_HUB_PIDS:+ }$pid"
  ORIVA_HUB_URLS+="${ORIVA_HUB_URLS:+ }http://127.0.0.1:${ports[i - 1]}"
done
start_nginx "${ports[@]}"

say "nginx     $ORIVA_URL"
for ((i = 1; i <= hubs; i++)); do say "hub-$i     http://127.0.0.1:${ports[i - 1]}, pid $(<"$temp/hub-$i/pid"), log $temp/hub-$i/log"; done
say "store     $ORIVA_POSTGRES"
say "Redis     $ORIVA_REDIS"
say "a token   Auth__SymmetricKey='$ORIVA_KEY' dotnet $program --create-token --sub root --roles admin"

if [[ $command ]]; then
  # In the background, because bash runs traps only between commands.
  bash -c "$command" </dev/null &
else
  say "Ctrl-C ends all of it"
  tail -f /dev/null &
fi
current=$!
code=0
wait "$current" || code=$?
current=''
exit "$code"
