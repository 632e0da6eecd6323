#!/bin/sh
# Thử cổng tiếp nhận của @CENTRE@ từ phía @DISPLAY@. Không lưu gì. Cần curl; TOKEN là mã truy cập.
set -u
BASE=${BASE:-@BASE@}
[ -n "${TOKEN:-}" ] || { echo "Chưa đặt TOKEN: TOKEN=… sh check.sh" >&2; exit 2; }
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
    echo "  ✗ $title ($got; phải là $status)"
    { echo "== $title"; head -c 2000 "$answer"; echo; } >>"$answers"
  fi
}

login="Authorization: Bearer $TOKEN"
json="Content-Type: application/fhir+json"
step "cho biết làm được gì" 200 CapabilityStatement "$BASE/metadata"
step "cho biết nơi cấp mã" 200 token_endpoint "$BASE/.well-known/smart-configuration"
step "không có mã: bị từ chối" 401 OperationOutcome "$BASE/DiagnosticReport"
step "mã sai: bị từ chối" 401 OperationOutcome -H "Authorization: Bearer wrong" "$BASE/DiagnosticReport"
step "tìm được những gì đã gửi (có thể chưa có gì)" 200 searchset -H "$login" "$BASE/DiagnosticReport?_count=1"
step "báo cáo đúng sẽ được nhận" 200 '!"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","status":"final","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "báo cáo thiếu trạng thái thì không" 200 '"error"' -H "$login" -H "$json" -d '{"resourceType":"DiagnosticReport","code":{"text":"CT"}}' "$BASE/DiagnosticReport/\$validate"
step "thứ không có: 404" 404 OperationOutcome -H "$login" "$BASE/DiagnosticReport/00000000-0000-0000-0000-000000000000"
step "loại không tồn tại: 404" 404 OperationOutcome -H "$login" "$BASE/NoSuchType"
if [ $wrong = 0 ]; then
  echo "Mọi thứ đều đúng."
  exit 0
fi
echo "$wrong điều sai; các trả lời ở dưới. Hãy gửi chúng cho trung tâm: trong đó không có bí mật nào."
cat "$answers"
exit 1
