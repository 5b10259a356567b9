# shellcheck shell=bash
# What a machine needs, the build, and the installation of the extension. Sourced by check and demo.

say() { printf '%s\n' "$*" >&2; }

# An editor's or server's PG* variables, a make that called us and the host's language must not change a run.
clean_environment() {
  local name
  for name in $(compgen -e); do
    case $name in PG_CONFIG) ;; PG*) unset "$name" ;; esac
  done
  unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES MAKEFILES CDPATH LANGUAGE
  export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC
}

# as_root COMMAND...: as root, or through sudo when that works without asking or somebody can answer.
can_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The major version of Debian's own PostgreSQL: of a server that is here already, else of the release.
debian_postgres_version() {
  local version
  version=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | cut -d / -f 5 | sort -n | tail -n 1)
  [ -n "$version" ] ||
    version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
  if [ -z "$version" ]; then
    case $(. /etc/os-release 2>/dev/null && echo "${ID:-}${VERSION_ID:-}") in
      debian13) version=17 ;; debian14) version=18 ;; *) version=15 ;;
    esac
  fi
  echo "$version"
}

# Sets PG_CONFIG to an installation that extensions can be built for; false when there is none yet.
find_pg_config() {
  local found
  for found in "${PG_CONFIG:-pg_config}" "/usr/lib/postgresql/$(debian_postgres_version)/bin/pg_config"; do
    if found=$(command -v "$found") && [ -f "$("$found" --pgxs)" ] && [ -f "$("$found" --includedir-server)/postgres.h" ]; then
      export PG_CONFIG=$found
      return 0
    fi
  done
  return 1
}

# The packages that are missing for demo or check, one a line; looked for by what they bring, so
# that a compiler or a PostgreSQL from elsewhere counts.
missing_packages() {
  local purpose=$1 version directory
  command -v make >/dev/null || echo make
  command -v "${CXX:-g++}" >/dev/null || echo g++
  "${CXX:-g++}" -fsyntax-only -include openssl/evp.h -x c++ /dev/null 2>/dev/null || echo libssl-dev
  if find_pg_config; then
    directory=$("$PG_CONFIG" --bindir)
    version=$("$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
  else
    version=$(debian_postgres_version)
    directory=/usr/lib/postgresql/$version/bin
    echo "postgresql-server-dev-$version"
  fi
  [ -x "$directory/initdb" ] && [ -x "$directory/postgres" ] || echo "postgresql-$version"
  has_curl_headers || echo libcurl4-openssl-dev
  has_python_modules hmac http.server ssl || echo python3
  [ "$purpose" = check ] || return 0
  command -v cmake >/dev/null || echo cmake
  [ -f /usr/include/gtest/gtest.h ] || echo libgtest-dev
  command -v prove >/dev/null || echo perl
  perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
  command -v clang++ >/dev/null || echo clang
  compgen -G "$(clang++ -print-resource-dir 2>/dev/null || echo none)/lib/linux/libclang_rt.fuzzer-*.a" >/dev/null ||
    echo libclang-rt-dev
  command -v clang-format >/dev/null || echo clang-format
  command -v clang-tidy >/dev/null || echo clang-tidy
  PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null || echo pgbouncer
  [ -f "/usr/lib/postgresql/$version/lib/pg_cron.so" ] || echo "postgresql-$version-cron"
  command -v sqlsmith >/dev/null || echo sqlsmith
  has_python_modules psycopg2 || echo python3-psycopg2
  has_python_modules psycopg2 sqlalchemy || echo python3-sqlalchemy
  has_python_modules psycopg2 sqlalchemy alembic || echo alembic
}

# What the dispatcher of webhooks is built with.
has_curl_headers() { echo '#include <curl/curl.h>' | "${CXX:-g++}" -E -x c++ - >/dev/null 2>&1; }

# has_python_modules MODULE...: some Python has all of them, as the tests look for one.
has_python_modules() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c "import $(IFS=, && echo "$*")" 2>/dev/null; then return 0; fi
  done
  return 1
}

# Installs packages. Debian's postgresql and pgbouncer start a server as soon as they are installed; that is not what
# was asked for, so no cluster is made when it is this script that brings PostgreSQL, and no service starts.
install_packages_as_root='
  set -e
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d made_policy=
  undo() {
    rm -f /etc/postgresql-common/createcluster.d/brainsait.conf
    [ -z "$made_policy" ] || rm -f "$policy"
  }
  trap undo EXIT
  case " $* " in *" pgbouncer "*)
    if [ ! -e "$policy" ]; then
      made_policy=1
      printf "#!/bin/sh\nexit 101\n" >"$policy"
      chmod +x "$policy"
    fi ;;
  esac
  apt-get update -q
  case " $* " in *" postgresql-"[0-9]*)
    if [ ! -d /etc/postgresql-common ]; then
      apt-get install -y -q --no-install-recommends postgresql-common
      mkdir -p /etc/postgresql-common/createcluster.d
      echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/brainsait.conf
    fi ;;
  esac
  apt-get install -y -q --no-install-recommends "$@"
  case " $* " in *" pgbouncer "*) systemctl disable -q pgbouncer 2>/dev/null || true ;; esac'

# require_packages demo|check: everything that this purpose needs is installed, or the exact line is shown.
require_packages() {
  local purpose=$1 packages=() log
  mapfile -t packages < <(missing_packages "$purpose")
  if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
      say "make $purpose needs what these Debian packages bring: ${packages[*]}"
      exit 1
    fi
    if ! can_be_root; then
      say "make $purpose needs some packages. As root, run:"
      say "  apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"
      exit 1
    fi
    say "Installing ${packages[*]} ..."
    log=$(mktemp)
    if ! as_root bash -c "$install_packages_as_root" install_packages "${packages[@]}" >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      say "The packages could not be installed. As root, run:"
      say "  apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"
      exit 1
    fi
    rm -f "$log"
    hash -r
  fi
  if ! find_pg_config; then
    say "PG_CONFIG=${PG_CONFIG:-pg_config} belongs to no PostgreSQL with server headers."
    exit 1
  fi
  export PG_BIN
  PG_BIN=$("$PG_CONFIG" --bindir)
}

# Builds the extension in place, anew when it was last built for another PostgreSQL.
build_extension() {
  local built_for=build/built-for version
  version="$PG_CONFIG $("$PG_CONFIG" --version)"
  mkdir -p build
  if [ "$(cat "$built_for" 2>/dev/null)" != "$version" ]; then
    make -s clean PG_CONFIG="$PG_CONFIG"
    mkdir -p build
    echo "$version" >"$built_for"
  fi
  say "Building brainsait for $("$PG_CONFIG" --version) ..."
  make -s -j"$(nproc)" PG_CONFIG="$PG_CONFIG"
}

is_installed() {
  local library extension file
  library=$("$PG_CONFIG" --pkglibdir)
  extension=$("$PG_CONFIG" --sharedir)/extension
  for file in *.so; do
    cmp -s "$file" "$library/$file" || return 1
  done
  for file in brainsait.control brainsait--*.sql; do
    cmp -s "$file" "$extension/$file" || return 1
  done
}

# Installs what was built, unless the same is there already.
install_extension() {
  is_installed && return
  local target
  target=$("$PG_CONFIG" --pkglibdir)
  if [ -w "$target" ] && [ -w "$("$PG_CONFIG" --sharedir)/extension" ]; then
    make -s install PG_CONFIG="$PG_CONFIG" >/dev/null
  elif can_be_root; then
    as_root env PATH="$PATH" make -s install PG_CONFIG="$PG_CONFIG" >/dev/null
  else
    say "The extension is built; installing it needs root. As root, run, and then this again:"
    say "  make -C '$PWD' install PG_CONFIG=$PG_CONFIG"
    exit 1
  fi
}
