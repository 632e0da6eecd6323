#!/bin/sh
# @CHECK_HEAD@
set -u
[ -n "${BASE:-}" ] || BASE=@BASE@
[ -n "${TOKEN:-}" ] || { echo "@CHECK_NO_TOKEN@" >&2; exit 2; }
answer=$(mktemp) || exit 2
answers=$(mktemp) || exit 2
trap 'rm -f "$answer" "$answers"' EXIT
wrong=0

# step TITLE STATUS TEXT CURL-OPTIONS…: TEXT must stand in the answer ("!TEXT": must not)
step() {
  title=$1 status=$2 text=$3
  shift 3
  got=$(curl --silent --show-error --max-time 30 --output "$answer" --write-out '%{http_code}' "$@") || got=000
  good=1
  [ "$got" = "$status" ] || good=0
  case $text in
    '') ;;
    !*) if grep -q -e "${text#!}" "$answer"; then good=0; fi ;;
    *) grep -q -e "$text" "$answer" || good=0 ;;
  esac
  if [ $good = 1 ]; then
    echo "  ✓ $title"
  else
    wrong=$((wrong + 1))
    echo "  ✗ $title ($got; @CHECK_EXPECTED@ $status)"
    { echo "== $title"; head -c 2000 "$answer"; echo; } >>"$answers"
  fi
}

login="Authorization: Bearer $TOKEN"
json="Content-Type: application/fhir+json"
step "@CHECK_METADATA@" 200 CapabilityStatement "$BASE/metadata"
step "@CHECK_TOKEN_ENDPOINT@" 200 token_endpoint "$BASE/.well-known/smart-configuration"
step "@CHECK_NO_LOGIN@" 401 OperationOutcome "$BASE/DiagnosticReport"
step "@CHECK_WRONG_TOKEN@" 401 OperationOutcome -H "Authorization: Bearer wrong" "$BASE/DiagnosticReport"
step "@CHECK_SEARCH@" 200 searchset -H "$login" "$BASE/DiagnosticReport?_count=1"
step "@CHECK_GOOD@" 200 '!"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","status":"final","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "@CHECK_BAD@" 200 '"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "@CHECK_ABSENT@" 404 OperationOutcome -H "$login" "$BASE/DiagnosticReport/00000000-0000-0000-0000-000000000000"
step "@CHECK_NO_TYPE@" 404 OperationOutcome -H "$login" "$BASE/NoSuchType"
if [ $wrong = 0 ]; then
  echo "@CHECK_ALL_GOOD@"
  exit 0
fi
echo "$wrong @CHECK_WRONG@"
cat "$answers"
exit 1
