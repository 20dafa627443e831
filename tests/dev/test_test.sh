#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What `./dev test` makes of what its parts come to, those on other releases as well. Nothing is built or tested: the programs
# that it calls are stand-ins, Meson's writes logs of one test each.
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
project=$scratch/project
mkdir -p "$scratch/bin" "$project/tests/support" "$project/tests/browser" "$project/tests/clients" "$project/src/web"
cp dev "$project"
cp tests/support/layers.py tests/support/of_suites.py tests/support/test_totals.py "$project/tests/support"
: >"$project/tests/support/check_threads.py"
echo 1 >"$project/tests/browser/package-lock.json"
echo 1 >"$project/tests/clients/package-lock.json"
echo 1 >"$project/src/web/package-lock.json"

program() {
  cat >"$1"
  chmod +x "$1"
}
for name in git node shellcheck gst-inspect-1.0 chromium pkg-config; do
  printf '#!/bin/sh\n' | program "$scratch/bin/$name"
done
# The interpreter itself: where pyenv is, "python3" is a script that takes long to find it.
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$scratch/bin/python3"
program "$scratch/bin/nice" <<'END_OF_PROGRAM'
#!/bin/sh
shift 2
exec "$@"
END_OF_PROGRAM
program "$scratch/bin/ninja" <<'END_OF_PROGRAM'
#!/bin/sh
[ "$2" != "${NINJA_FAILS:-}" ]
END_OF_PROGRAM
program "$scratch/bin/npm" <<'END_OF_PROGRAM'
#!/bin/sh
mkdir -p node_modules
END_OF_PROGRAM
program "$scratch/bin/setarch" <<'END_OF_PROGRAM'
#!/bin/sh
shift 2
exec "$@"
END_OF_PROGRAM
program "$scratch/bin/clang-format-14" <<'END_OF_PROGRAM'
#!/bin/sh
echo version 14.0
END_OF_PROGRAM
program "$scratch/bin/id" <<'END_OF_PROGRAM'
#!/bin/sh
echo "${USER_ID:-0}"
END_OF_PROGRAM
program "$scratch/bin/dpkg-query" <<'END_OF_PROGRAM'
#!/bin/sh
echo install ok installed
END_OF_PROGRAM
# The test whose build folder and log TEST_FAILS or TEST_SKIPS names does that; where MESON_DIES, Meson itself ends amid its tests, and
# where MESON_WAITS, it goes on until it is told to stop.
program "$scratch/bin/meson" <<'END_OF_PROGRAM'
#!/bin/sh
case $1 in
  setup)
    mkdir -p "$2/meson-info"
    touch "$2/build.ninja"
    echo '[{"name":"one","suite":["p:element","p:tool","p:unit"],"depends":["t"]}]' >"$2/meson-info/intro-tests.json"
    printf '[{"id":"t","filename":["%s/one"]}]\n' "$(realpath "$2")" >"$2/meson-info/intro-targets.json"
    ;;
  test)
    log=testlog result=OK outcome=
    case $* in
      *' --logbase testlog-half '*) log=testlog-half ;;
      *' --wrapper '*'/tsan_run.py '*) log=testlog-tsan_run.py ;;
    esac
    case "$3 $log" in
      "${MESON_WAITS:-}")
        echo $$ >"$3/waits"
        exec sleep 300
        ;;
    esac
    [ "$3 $log" != "${TEST_FAILS:-}" ] || result=FAIL outcome='<failure/>'
    [ "$3 $log" != "${TEST_SKIPS:-}" ] || outcome='<skipped/>'
    log=$3/meson-logs/$log
    mkdir -p "$3/meson-logs"
    printf '{"name":"one","result":"%s"}\n' "$result" >"$log.json"
    printf '<testsuites><testsuite name="p.one.s"><testcase classname="p.one.s" name="case">%s</testcase>%s\n' \
      "$outcome" '</testsuite></testsuites>' >"$log.junit.xml"
    [ $result = OK ] && [ "$log" != "${MESON_DIES:-}" ]
    ;;
  configure) [ "$2" != "${BUILD_FAILS:-}" ] ;;
esac
END_OF_PROGRAM
# Another release is this system under another name; NO_ROOT has none.
program "$project/tests/support/on.sh" <<'END_OF_PROGRAM'
#!/bin/sh
[ "$1" != "${NO_ROOT:-}" ] || exit 1
suite=$1
shift
DEV_SUITE=$suite exec ./dev "$@"
END_OF_PROGRAM
program "$project/tests/support/tsan_libraries.sh" <<'END_OF_PROGRAM'
#!/bin/sh
[ -z "${NO_LIBRARIES:-}" ] || { echo 'no libraries'; exit 1; }
END_OF_PROGRAM

debian=$scratch/debian
printf 'ID=debian\nVERSION_CODENAME=bookworm\n' >"$debian"
ubuntu=$scratch/ubuntu
printf 'ID=ubuntu\nVERSION_CODENAME=noble\n' >"$ubuntu"

count=0
failed=0
# check NAME STATUS LINE COMMAND...: what a command ends with, and one of its lines, which is a regular expression.
check() {
  count=$((count + 1))
  name=$1 expected=$2 line=$3
  shift 3
  status=0
  (cd "$project" && env PATH="$scratch/bin:$PATH" CI= DEV_SUITE= DEV_TOTALS= OS_RELEASE="$debian" "$@") >"$scratch/said" 2>&1 ||
    status=$?
  if [ $status -eq "$expected" ] && grep -q -x -e "$line" "$scratch/said"; then
    echo "ok $count - $name"
  else
    failed=1
    echo "not ok $count - $name"
    sed 's/^/# /' "$scratch/said"
    echo "# exit status $status"
  fi
}

check 'tests on this system, with two sanitizers and on Debian 13 are added up, all but one in two halves' 0 '7 passed, 0 failed' ./dev test
for log in 'build testlog' 'build testlog-half' 'build-asan testlog' 'build-asan testlog-half' 'build-tsan testlog' \
  'build-trixie testlog' 'build-trixie testlog-half'; do
  place=${log% *}/meson-logs/${log#* }
  check "a failure is one: $log" 1 "FAILED  one: case ($place)" TEST_FAILS="$log" ./dev test
done
for log in build/meson-logs/testlog build/meson-logs/testlog-half build-tsan/meson-logs/testlog; do
  check "so is an end of Meson itself: $log" 1 "FAILED  ended with status 1, though no test has failed ($log)" \
    MESON_DIES="$log" ./dev test
done
check 'and has not passed' 1 '6 passed, 1 failed' TEST_FAILS='build-trixie testlog-half' ./dev test
check 'nor has a skipped test' 0 '6 passed, 0 failed, 1 skipped' TEST_SKIPS='build-trixie testlog-half' ./dev test
for build in asan tsan; do
  check "so is a build that fails: $build" 1 "FAILED  build-$build" NINJA_FAILS=build-$build ./dev test
done
check 'or one on Debian 13' 1 'FAILED  trixie-build' BUILD_FAILS=build-trixie CI=true ./dev test
check 'no root of Debian 13 is a failure, whatever an earlier run has left' 1 'FAILED  on-trixie' NO_ROOT=trixie ./dev test
check 'and nothing of that run counts' 1 '5 passed, 2 failed' NO_ROOT=trixie ./dev test
check 'elsewhere it says what is left out' 0 '.*left out: the tests on trixie.*' OS_RELEASE="$ubuntu" ./dev test
check 'as it does without root' 0 '.*left out: the tests on trixie.*' USER_ID=1000 ./dev test
check 'and in CI that is a failure' 1 '5 passed, 1 failed' OS_RELEASE="$ubuntu" CI=true ./dev test
check 'test-plain is this system alone' 0 '2 passed, 0 failed' ./dev test-plain
check 'with a failure' 1 '1 passed, 1 failed' TEST_FAILS='build testlog' ./dev test-plain
check 'who asks for a release gets that one alone, without sanitizers' 0 '2 passed, 0 failed' DEV_SUITE=trixie ./dev test
check 'sanitize has the suites of its own alone' 0 '1 passed, 0 failed' ./dev sanitize
check 'with a failure' 1 'FAILED  one: case (build-asan/meson-logs/testlog)' TEST_FAILS='build-asan testlog' ./dev sanitize
check 'or a build that fails' 1 'FAILED  build-asan' NINJA_FAILS=build-asan ./dev sanitize
check 'tsan has the suites of its own alone' 0 '1 passed, 0 failed' ./dev tsan
check 'and says how many programs they are' 0 '==> 1 programs ran under the thread sanitizer' ./dev tsan
check 'with a failure' 1 'FAILED  one: case (build-tsan/meson-logs/testlog-tsan_run.py)' \
  TEST_FAILS='build-tsan testlog-tsan_run.py' ./dev tsan
check 'or a build that fails' 1 'FAILED  build-tsan' NINJA_FAILS=build-tsan ./dev tsan
check 'or without the libraries' 1 'no libraries' NO_LIBRARIES=yes ./dev tsan
check 'test-all has Debian testing and the benchmarks' 1 'FAILED  benchmarks' ./dev test-all
check 'added up' 1 '9 passed, 1 failed' ./dev test-all
check 'on wants a command' 1 'dev: on needs a release.*' ./dev on trixie

# What a person who interrupts leaves running.
rm -f "$project/build/waits"
(cd "$project" && PATH="$scratch/bin:$PATH" OS_RELEASE="$debian" CI='' DEV_SUITE='' DEV_TOTALS='' MESON_WAITS='build testlog-half' \
  exec ./dev test >"$scratch/said" 2>&1) &
interrupted=$!
until [ -s "$project/build/waits" ]; do kill -0 $interrupted && sleep 0.1; done
waits=$(cat "$project/build/waits")
kill -s TERM $interrupted
status=0
wait $interrupted || status=$?
count=$((count + 1))
# Its process id is that of the sleep; gone, or about to be.
gone=no
for _ in $(seq 100); do
  kill -0 "$waits" 2>/dev/null || { gone=yes && break; }
  sleep 0.1
done
if [ $status -eq 130 ] && [ $gone = yes ]; then
  echo "ok $count - who is interrupted ends what it has begun"
else
  failed=1
  echo "not ok $count - who is interrupted ends what it has begun"
  echo "# exit status $status, Meson gone: $gone"
fi

echo "1..$count"
exit $failed
