# Sourced by the cases, after n=NAME: two network namespaces joined by a veth pair, NAME-s (10.77.0.1) and NAME-c (10.77.0.2).
# S and C run a command in one of them; `look s` or `look c` asks tcptop (on PATH, or $TCPTOP) what is wrong there. All is gone at the end.
W=$(mktemp -d /tmp/calling/w.XXXXXX); chmod 777 $W; tcptop=${TCPTOP:-/work/main/.venv/bin/tcptop}; cd "$W"; P=/usr/bin/python3
S() { ip netns exec "$n-s" "$@"; }
C() { ip netns exec "$n-c" "$@"; }
look() { $tcptop check --config /dev/null --netns "$n-$1" --over "${OVER:-8}" --format "${FORMAT:-text}" "${@:3}"; echo "exit $?"; }
down() {
  for s in s c; do for p in $(ip netns pids "$n-$s" 2>/dev/null); do kill -CONT "$p"; kill -9 "$p"; done; done 2>/dev/null
  sleep 0.3; ip netns del "$n-s"; ip netns del "$n-c"; rm -rf "$W"
}
up() {
  ip netns add "$n-s" && ip netns add "$n-c" || exit 1
  ip -n "$n-s" link add veth0 type veth peer name veth0 netns "$n-c"
  ip -n "$n-s" addr add 10.77.0.1/24 dev veth0; ip -n "$n-c" addr add 10.77.0.2/24 dev veth0
  for s in s c; do ip -n "$n-$s" link set lo up; ip -n "$n-$s" link set veth0 up; done
}
# ngconf FILE WORKERS EVENTS HTTP: a configuration of nginx
ngconf() { cat > "$1" <<P
daemon off; user root; worker_processes $2; pid $1.pid; error_log $1.err;
events { $3 }
http { access_log off; client_body_temp_path $W/a; proxy_temp_path $W/b; fastcgi_temp_path $W/c; uwsgi_temp_path $W/d; scgi_temp_path $W/e;
$4
}
P
}

up; for s in s:1 c:2; do ip -n $n-${s%:*} addr add fd77::${s#*:}/64 dev veth0 nodad; done; trap down EXIT
both() { look s > o.s 2>&1 & a=$!; look c > o.c 2>&1 & b=$!; wait $a $b; echo "##### $n SERVER SIDE"; cat o.s; echo "##### $n CLIENT SIDE"; cat o.c; S ss -Htan | awk '{print $1}' | sort | uniq -c | tr '\n' ';'; echo; }
