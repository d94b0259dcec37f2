# tcptop looks at this host through this shell: `tcptop --via` sent what follows.
# It reads and prints. It writes no file, changes nothing and ends when its input does.
# A request is a line: a word, then numbers. An answer is a list of parts; after each comes a
# line of its own, "MARK name status", whose mark is drawn anew for every connection, so that
# nothing that a process here may put into its name or arguments can pass for it.
main() {
  mark=$1
  unset TCPDIAG_FILE PROC_ROOT PROC_NET_TCP IFS ENV
  PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin LC_ALL=C
  export PATH LC_ALL
  exec 3<&0 </dev/null 2>/dev/null # requests on 3: no child can eat them
  cd / || :
  ss='' find='' gzip=''
  if command -v ss >/dev/null; then ss=ss; fi
  if command -v gzip >/dev/null; then gzip=gzip; fi
  if [ "$(find / -maxdepth 0 -printf x)" = x ]; then find=find; fi # GNU's; busybox has no -printf
  wait=''
  if (echo | read -t 1 wait); then wait='-t 7200'; fi # bash and busybox: a link may die unseen
  echo "
$mark hello 1 ss=$ss find=$find gzip=$gzip"
  while read -r $wait request numbers <&3; do
    case $numbers in *[!0-9\ ]*) numbers='' ;; esac
    case $request in
      look) look ss ;;
      look-gzip) { look ss; part look; } | gzip -1 ;;
      look-proc) look tcp ;;                 # no ss, or a kernel that it cannot ask
      queues) ss -ltn -D - ;;
      why) ss -ltn -D - 2>&1 >/dev/null ;;
      host) host ;;
      tables) ls -ldin /proc/[0-9]*/fd ;;    # inode, owner and (since 6.2) size: what has changed
      sockets) sockets $numbers ;;           # which descriptors of these processes are sockets
      processes) processes $numbers ;;
      cgroups) cgroups ;;
      quit) break ;;
    esac
    part "$request"
  done
}

part() {
  echo "
$mark $* $?"
}

look() {
  cat /proc/uptime
  part begin
  if [ "$1" = ss ]; then
    ss -tanime -D - # the kernel's own messages, as they come
  else
    cat /proc/net/tcp /proc/net/tcp6
  fi
  part "$1"
  cat /proc/sys/net/netfilter/nf_conntrack_count /proc/net/netstat /proc/net/snmp \
    /proc/net/sockstat /proc/net/sockstat6 /proc/net/snmp6 /proc/net/stat/nf_conntrack
}

host() {
  ls -ldn /proc/self/ns/net /proc/self/ns/pid /proc/1/ns/net /proc/1
  part namespaces
  cat /proc/self/status /proc/self/uid_map
  part rights
  echo "$SSH_CONNECTION" # which of the connections is this one
  part link
  cat /etc/passwd
  part users
  cat /proc/net/igmp
  part igmp
  cat /proc/net/if_inet6
  part inet6
  date +%s
  part time
  cd /proc/sys && grep '' kernel/hostname kernel/osrelease kernel/random/boot_id \
    net/ipv4/ip_local_* net/ipv4/tcp_* net/core/*mem_max net/core/somaxconn \
    net/core/netdev_max_backlog net/netfilter/nf_conntrack_max \
    net/netfilter/nf_conntrack_tcp_timeout_established
  cd /
}

sockets() {
  if [ "$find" ]; then
    for pid; do
      set -- "$@" "/proc/$pid/fd"
      shift
    done
    find "$@" -maxdepth 1 -lname 'socket:*' -printf '%p %l\n'
  else
    for pid; do
      echo "/proc/$pid/fd:"
      ls -ln "/proc/$pid/fd"
    done
  fi
}

processes() { # name, user, limit, groups and start, each line behind its file's name; then arguments
  pids=$*
  for pid; do
    set -- "$@" "/proc/$pid/ns/net"
    shift
  done
  ls -ldn "$@"
  part spaces
  set -- $pids
  for pid; do
    set -- "$@" "/proc/$pid/status" "/proc/$pid/limits" "/proc/$pid/cgroup" "/proc/$pid/stat"
    shift
  done
  grep -E '^Name:|^Uid:|^Max open files|^[0-9]+:|\) [A-Za-z] -?[0-9]+ ' /dev/null "$@"
  part facts
  for pid in $pids; do
    dd bs=4096 count=1 if="/proc/$pid/cmdline" # as much as is shown; a class path has a megabyte
    part process "$pid"
  done
}

cgroups() {
  cat /proc/self/mountinfo
  part mounts
  root=$(while read -r _ _ _ _ at rest; do
    case $rest in *' - cgroup2 '*) echo "$at"; break ;; esac
  done </proc/self/mountinfo)
  [ "$root" ] || return
  cd "$root" && find . -type d -exec ls -di {} +
  cd /
}

main @MARK@; exit
