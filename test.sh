#!/usr/bin/env bash
#
# Builds everything and runs every test against a real PostgreSQL, a real Redis, a real nginx and a real browser.
#
#   ./test.sh                  all tests but those marked Category=Long
#   ./test.sh --all            the long ones as well: what must pass before a merge
#   ./test.sh -- ARGS…         hand ARGS to the C# test runner, e.g. -- --filter-class '*CursorTests'
#                              (C# only, coverage is not measured)
#
# On a Debian 12 machine with the .NET 10 SDK and Node it installs whatever else is missing. PostgreSQL and Redis are
# started for this run alone, on free ports of 127.0.0.1, and are gone afterwards.
#
# The last line is always "N passed, N failed, N skipped". A step that breaks without a count of its own (the build,
# a crash, coverage below the floor, no tests at all) counts as one failure, so that the line never looks better than
# the exit code, which is 0 only when something passed and nothing failed or was skipped.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/processes.sh

readonly solution=Oriva.Realtime.sln
readonly tests=Oriva.Realtime.Tests
readonly coverage_floor=80 # per cent of the lines of Core and Hub
readonly chromium=/usr/bin/chromium
readonly nginx=/usr/sbin/nginx

usage() { sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

all=false
runner_args=()
while (($#)); do
  case $1 in
    --all) all=true ;;
    --) shift; runner_args=("$@"); break ;;
    -h | --help) usage; exit 0 ;;
    *) echo "test.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

# --- Counting and cleaning up -----------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0
current='' redis='' postgres_data='' temp=''

# Every process started from here inherits this mark, so that cleaning up finds strays (a hub or a browser whose test
# crashed) by their id and touches nobody else's.
export ORIVA_TEST_RUN="$$-$RANDOM$RANDOM"

fail() { failed=$((failed + 1)); say "FAILED: $*"; }
die() { fail "$@"; exit 1; }

# Shows the end of a log, for steps whose output is only interesting when they fail.
die_with() { tail -n 60 "$1"; shift; die "$@"; }

finish() {
  local code=$?
  trap '' INT TERM HUP
  set +e
  ((code <= 128)) || say "interrupted"

  if [[ $current ]]; then stop 10 TERM "$current"; wait "$current" 2>/dev/null; fi
  if [[ $redis ]]; then stop 5 TERM "$redis"; fi
  # Immediate: nobody needs what is in there, and clients that hang on must not hold it up.
  if [[ $postgres_data ]]; then as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate -w stop >/dev/null 2>&1; fi
  # shellcheck disable=SC2046 # ids, one word each
  stop 5 TERM $(marked "ORIVA_TEST_RUN=$ORIVA_TEST_RUN")
  if [[ $temp ]]; then rm -rf "$temp"; fi

  if ((code == 0 && passed + failed + skipped == 0)); then fail "no tests ran"; fi
  if ((code != 0 && failed == 0)); then failed=1; fi
  if ((code == 0 && failed + skipped > 0)); then code=1; fi
  say "done"
  echo "$passed passed, $failed failed, $skipped skipped"
  exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# run LOG COMMAND…: run it and follow its output. In the background, because bash runs traps only between commands;
# through a file, because a stray process holding a pipe open would keep its reader, and us, for ever.
run() {
  local log=$1 code=0 follower
  shift
  : >"$log"
  "$@" </dev/null >"$log" 2>&1 &
  current=$!
  tail -n +1 -s 0.2 -f --pid="$current" "$log" 2>/dev/null &
  follower=$!
  wait "$current" || code=$?
  current=''
  wait "$follower" || true
  return "$code"
}

# Under /tmp whatever TMPDIR says: the postgres user must get in, and the path of a socket has to be short.
temp=$(mktemp -d /tmp/oriva-test.XXXXXX)
chmod 711 "$temp"

# --- What the machine needs -------------------------------------------------------------------------------------------

install_missing() {
  local missing=() root=()
  command -v dotnet >/dev/null || die "the .NET 10 SDK is not installed (https://dot.net)"
  find_postgres || missing+=(postgresql-15)
  if ! command -v redis-server || ! command -v redis-cli; then missing+=(redis-server); fi >/dev/null
  [[ -x $chromium ]] || missing+=(chromium)
  [[ -x $nginx ]] || missing+=(nginx-light)
  if ((${#missing[@]} == 0)); then return; fi

  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "please install: ${missing[*]}"
    root=(sudo)
  fi
  say "installing ${missing[*]}"
  root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  {
    "${root[@]}" update &&
      "${root[@]}" install -y --no-install-recommends "${missing[@]}"
  } >"$temp/apt.log" 2>&1 || die_with "$temp/apt.log" "could not install ${missing[*]}"
  find_postgres || die "no PostgreSQL in $postgres_bin"
}

# --- PostgreSQL and Redis ---------------------------------------------------------------------------------------------

start_postgres() {
  local home=$temp/postgres log=$temp/postgres/log attempt port settings
  mkdir "$home"
  if ((EUID == 0)); then chown postgres "$home"; fi
  as_postgres "$postgres_bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
    >"$temp/initdb.log" 2>&1 || die_with "$temp/initdb.log" "could not create a PostgreSQL cluster"
  postgres_data=$home/data

  for attempt in 1 2 3; do
    port=$(free_port)
    # fsync stays on: durability and timings are among the things tested.
    settings="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c max_connections=300 -c fsync=on"
    if as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -l "$log" -o "$settings" -w start >/dev/null 2>&1; then
      export ORIVA_TEST_POSTGRES="Host=127.0.0.1;Port=$port;Username=postgres;Database=postgres"
      say "PostgreSQL ${postgres_bin//[!0-9]/} on 127.0.0.1:$port"
      return
    fi
  done
  die_with "$log" "PostgreSQL did not start ($attempt attempts)"
}

start_redis() {
  local log=$temp/redis.log attempt port
  for attempt in 1 2 3; do
    port=$(free_port)
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$temp" </dev/null >"$log" 2>&1 &
    redis=$!
    disown
    while alive "$redis"; do
      if [[ $(redis-cli -p "$port" ping 2>/dev/null) == PONG ]] && alive "$redis"; then
        export ORIVA_TEST_REDIS="127.0.0.1:$port"
        say "Redis on $ORIVA_TEST_REDIS"
        return
      fi
      sleep 0.1
    done
  done
  redis=''
  die_with "$log" "Redis did not start ($attempt attempts)"
}

# --- C# ---------------------------------------------------------------------------------------------------------------

build() {
  local locked=()
  if compgen -G '*/packages.lock.json' >/dev/null; then locked=(--locked-mode); fi
  # No compiler or build server may outlive this run.
  export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
  export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

  say "restoring ${locked[*]}"
  run "$temp/restore.log" dotnet restore "$solution" -v quiet "${locked[@]}" || die "restore"
  say "building"
  run "$temp/build.log" dotnet build "$solution" -c Release --no-restore -v quiet -warnaserror || die "build"
}

# The last summary of the test runner in a log, as "passed failed skipped"; nothing when there is none.
runner_summary() {
  awk '/^Test run summary:/ { seen = 1; p = f = k = 0 }
       seen && /^  succeeded: [0-9]+/ { p = $2 }
       seen && /^  failed: [0-9]+/ { f = $2 }
       seen && /^  skipped: [0-9]+/ { k = $2 }
       END { if (seen) print p, f, k }' "$1"
}

test_csharp() {
  local log=$temp/tests.log results=$temp/results code=0 summary p f k
  local command=(dotnet "$tests/bin/Release/net10.0/$tests.dll" --no-ansi --progress off --results-directory "$results")

  # A filter of the caller's says exactly what to run, and some kinds of filters cannot be combined.
  if ! $all && [[ " ${runner_args[*]}" != *" --filter"* ]]; then command+=(--filter-not-trait Category=Long); fi
  if ((${#runner_args[@]})); then
    command+=("${runner_args[@]}")
  else
    # By attribute only GeneratedCode, not CompilerGenerated: that would drop every async method and lambda.
    command+=(--coverlet --coverlet-output-format cobertura
      --coverlet-include '[Oriva.Realtime.Core]*' --coverlet-include '[Oriva.Realtime.Hub]*'
      --coverlet-exclude-by-attribute GeneratedCodeAttribute
      --coverlet-exclude-by-attribute ExcludeFromCodeCoverageAttribute
      --coverlet-exclude-by-file '**/obj/**' --coverlet-exclude-by-file '**/*.g.cs'
      --coverlet-exclude-by-file '**/*.generated.cs' --coverlet-exclude-by-file '**/Migrations/*.cs')
  fi

  say "C# tests"
  run "$log" "${command[@]}" || code=$?
  summary=$(runner_summary "$log")
  read -r p f k <<<"${summary:-0 0 0}"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + k))
  if [[ ! $summary ]]; then
    fail "the C# test process ended with exit code $code and no summary"
  elif ((p + f + k == 0)); then
    fail "no C# tests ran"
  elif ((code != 0 && f == 0)); then
    fail "the C# test process ended with exit code $code"
  fi
  # What a crashed process leaves behind says nothing about coverage.
  if [[ $summary ]] && ((${#runner_args[@]} == 0)); then check_coverage "$results"; fi
}

check_coverage() {
  local report covered valid
  report=$(find "$1" -name '*cobertura*.xml' 2>/dev/null | head -n 1)
  if [[ ! $report ]]; then fail "no C# coverage report"; return; fi
  mkdir -p artifacts
  cp "$report" artifacts/coverage.cobertura.xml
  covered=$(grep -m 1 '<coverage ' "$report" | sed -n 's/.* lines-covered="\([0-9]*\)".*/\1/p')
  valid=$(grep -m 1 '<coverage ' "$report" | sed -n 's/.* lines-valid="\([0-9]*\)".*/\1/p')
  if ((${valid:-0} == 0)); then fail "the C# coverage report has no lines"; return; fi
  # Cut, not rounded: 79.96 must not read as 80.0.
  echo "C# line coverage: $((100 * covered / valid)).$((1000 * covered / valid % 10)) %"
  if ((100 * covered < coverage_floor * valid)); then
    fail "C# line coverage is below $coverage_floor % (see artifacts/coverage.cobertura.xml)"
  fi
}

# --- TypeScript -------------------------------------------------------------------------------------------------------

in_folder() { cd "$1" && shift && exec "$@"; }

# The sum of vitest's "Tests  1 failed | 2 passed | 1 skipped (4)" lines in a log, as "passed failed skipped".
vitest_summary() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^ *Tests  / { seen = 1
      for (i = 2; i < NF; i++) {
        if ($(i + 1) == "passed") p += $i
        if ($(i + 1) == "failed") f += $i
        if ($(i + 1) == "skipped" || $(i + 1) == "todo") k += $i
      } }
    END { if (seen) print p + 0, f + 0, k + 0 }'
}

test_typescript() {
  local package folder log=$temp/npm.log code summary p f k
  for package in clients/*/package.json; do
    grep -qs '"test" *:' "$package" || continue
    folder=${package%/package.json}
    command -v npm >/dev/null || { fail "Node is not installed, so $folder was not tested"; continue; }

    say "$folder: installing"
    run "$log" in_folder "$folder" npm ci --no-audit --no-fund || { fail "$folder: npm ci"; continue; }
    say "$folder: tests"
    code=0
    run "$log" in_folder "$folder" env CI=true NO_COLOR=1 npm test || code=$?
    summary=$(vitest_summary "$log")
    read -r p f k <<<"${summary:-0 0 0}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + k))
    if [[ ! $summary ]]; then
      fail "$folder: npm test ended with exit code $code and no summary"
    elif ((p + f + k == 0)); then
      fail "$folder: no tests ran"
    elif ((code != 0 && f == 0)); then
      fail "$folder: npm test ended with exit code $code"
    fi
  done
}

# ----------------------------------------------------------------------------------------------------------------------

install_missing
start_postgres
start_redis
export ORIVA_TEST_CHROMIUM=$chromium ORIVA_TEST_NGINX=$nginx
build
test_csharp
if ((${#runner_args[@]} == 0)); then test_typescript; fi
