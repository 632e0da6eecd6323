#!/bin/sh
# Tries the endpoint of @CENTRE@ as @DISPLAY@ sees it. Stores nothing. Needs curl; TOKEN is your token.
set -u
BASE=${BASE:-@BASE@}
[ -n "${TOKEN:-}" ] || { echo "TOKEN is not set: TOKEN=… sh check.sh" >&2; exit 2; }
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
    echo "  ✗ $title ($got; expected $status)"
    { echo "== $title"; head -c 2000 "$answer"; echo; } >>"$answers"
  fi
}

login="Authorization: Bearer $TOKEN"
json="Content-Type: application/fhir+json"
step "says what it does" 200 CapabilityStatement "$BASE/metadata"
step "says where tokens are given" 200 token_endpoint "$BASE/.well-known/smart-configuration"
step "without a token: refused" 401 OperationOutcome "$BASE/DiagnosticReport"
step "with a wrong token: refused" 401 OperationOutcome -H "Authorization: Bearer wrong" "$BASE/DiagnosticReport"
step "finds what you sent (perhaps nothing yet)" 200 searchset -H "$login" "$BASE/DiagnosticReport?_count=1"
step "a good report would be taken" 200 '!"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","status":"final","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "a report without its status would not" 200 '"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "what is not there: 404" 404 OperationOutcome -H "$login" "$BASE/DiagnosticReport/00000000-0000-0000-0000-000000000000"
step "a type that does not exist: 404" 404 OperationOutcome -H "$login" "$BASE/NoSuchType"
if [ $wrong = 0 ]; then
  echo "All as it should be."
  exit 0
fi
echo "$wrong wrong; the last answers are below. Send them to the centre: no secret is in them."
cat "$answers"
exit 1
