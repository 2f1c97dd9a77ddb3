#!/usr/bin/env bash
# The test of the cluster scripts: two clusters at once, with pods in both, and ends of every kind, must not disturb
# each other and must leave the machine as it was. Needs what up.sh needs, and buildah. Takes a minute and a half.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/cluster/lib.sh
source "$here/lib.sh"
one=twin-one two=twin-two
work=$(mktemp -d)
bystander= # a process that is not the clusters'
finish() {
	"$here/down.sh" $one >/dev/null || true
	"$here/down.sh" $two >/dev/null || true
	[[ -z $bystander ]] || kill "$bystander" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

passed=0 failed=0
check() { # what must hold, command…
	local what=$1 start=${EPOCHREALTIME/./} result=ok took
	shift
	"$@" >"$work/output" 2>&1 || result=FAILED
	took=$(((${EPOCHREALTIME/./} - start) / 100000))
	printf '%-7s %3d.%d s  %s\n' $result $((took / 10)) $((took % 10)) "$what"
	if [[ $result == ok ]]; then
		((passed += 1))
	else
		((failed += 1))
		sed 's/^/        | /' "$work/output"
	fi
}
in_cluster() { "$here/enter.sh" "$@"; }

# --- what the machine looks like -----------------------------------------------------------------------------------

# Other clusters may come and go meanwhile: what is theirs does not count.
# shellcheck disable=SC2015 # nothing found is fine
machine() {
	echo '-- links' && ip -o link | cut -d ' ' -f 2
	echo '-- addresses' && ip -o address | awk '{print $2, $4}'
	echo '-- routes' && ip route
	echo '-- packet filter' && nft list ruleset
	echo '-- mounts' && findmnt -rn -o TARGET,SOURCE,FSTYPE
	echo '-- cgroups' && find /sys/fs/cgroup -type d | sort
	echo '-- tunables' && grep . /proc/sys/vm/{overcommit_memory,panic_on_oom} /proc/sys/kernel/{panic,panic_on_oops} /proc/sys/kernel/keys/root_max*
	echo '-- listeners' && ss -Hltnx | awk '{print $1, $5}' | grep -e tlsdebug -e containerd -e ':6443' -e ':2379' -e ':10250' || true
	echo '-- folders' && ls -d "${fixed_folders[@]}" "${TLSDEBUG_STATE:-/var/lib/tlsdebug}"/* 2>/dev/null || true
	echo '-- processes' && pgrep -af "tlsdebug.*(${one}|${two})" | grep -v -e twin.sh -e grep || true
}
snapshot() { machine | awk -v ours="$one|$two" '!/tlsdebug[-\/]/ || $0 ~ ours' >"$1"; }

# --- a small image and what runs of it ------------------------------------------------------------------------------

image() {
	mkdir "$work/image"
	cp "$(command -v busybox)" "$work/image/busybox"
	printf 'FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\n' >"$work/image/Dockerfile"
	local buildah=(buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver vfs)
	"${buildah[@]}" build -q --isolation chroot -t localhost/busybox:1 "$work/image"
	"${buildah[@]}" push -q localhost/busybox:1 "docker-archive:$work/busybox.tar:localhost/busybox:1"
}
cat >"$work/web.yaml" <<'Y'
apiVersion: v1
kind: Namespace
metadata: {name: twin, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: twin}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: web
        image: localhost/busybox:1
        command: [sh, -c, "echo started; echo $CLUSTER >/tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp"]
        env: [{name: CLUSTER, value: CLUSTER-NAME}]
        volumeMounts: [{name: tmp, mountPath: /tmp}]
        resources: {limits: {memory: 32Mi, cpu: 100m}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumes: [{name: tmp, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: twin}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
Y
both() { # script, …: runs it for both clusters at the same time
	local script=$1 first=0 second=0
	shift
	"$script" $one "$@" &
	"$script" $two "$@" || second=$?
	wait $! || first=$?
	((first == 0 && second == 0))
}
deploy() { # cluster
	sed "s/CLUSTER-NAME/$1/" "$work/web.yaml" | in_cluster "$1" kubectl apply -f - &&
		in_cluster "$1" kubectl -n twin rollout status deployment/web --timeout=90s
}
logs() { [[ $(in_cluster "$1" kubectl -n twin logs deployment/web) == *started* ]]; }
# From a pod, by the Service's name, to a pod: several times, so that both pods and the pod itself are met.
from_pod() {
	local answers
	answers=$(in_cluster "$1" kubectl -n twin exec deployment/web -- sh -c \
		'for i in 1 2 3 4 5 6; do printf "GET / HTTP/1.0\r\n\r\n" | busybox nc -w 5 web 80; done')
	echo "$answers"
	[[ $(grep -cx "$1" <<<"$answers") == 6 ]]
}
# From the cluster's node, where tests and people are.
from_node() { [[ $(in_cluster "$1" curl -s -m 5 http://web.twin.svc.cluster.local/) == "$1" ]]; }
no_other_name() {
	local answer
	! answer=$(in_cluster "$1" kubectl -n twin exec deployment/web -- busybox nslookup -type=a example.org 2>&1) &&
		[[ $answer == *NXDOMAIN* ]]
}
pods() { in_cluster "$1" kubectl -n twin get pods -o json | jq -r '.items[] | "\(.metadata.uid) \(.status.phase) \(.status.containerStatuses[0].restartCount)"' | sort; }
same_pods() {
	pods $one >"$work/pods-now"
	diff "$work/pods" "$work/pods-now" && [[ $(grep -c ' Running 0' "$work/pods-now") == 2 ]]
}
audited() { in_cluster "$1" jq -e -s 'map(select(.objectRef.resource == "deployments" and .verb == "create")) | length == 1' "${TLSDEBUG_STATE:-/var/lib/tlsdebug}/$1/log/audit.log"; }

# --- ends of every kind --------------------------------------------------------------------------------------------

kill_all() (
	cluster "$1"
	[[ -n $(members) ]]
	signal KILL
	gone 10
)
# What a restart of the machine leaves: the state folder, with process ids that by now are another's.
like_restart() (
	kill_all "$1"
	cluster "$1"
	local file
	umount "$state/ns/mnt" "$state/ns/net"
	umount "$state/ns"
	remove_cgroups
	for file in "$state"/pid/*; do echo "$bystander 1" >"$file"; done
)

# --- the test ------------------------------------------------------------------------------------------------------

"$here/build.sh" >/dev/null
"$here/down.sh" $one >/dev/null
"$here/down.sh" $two >/dev/null
snapshot "$work/before"
sleep 600 &
bystander=$!

check 'an image is made' image
check 'two clusters come up at the same time' both "$here/up.sh"
check 'both take the image' both "$here/load.sh" "$work/busybox.tar"
check 'pods come up in both' both deploy
for name in $one $two; do
	check "$name: kubectl logs" logs "$name"
	check "$name: kubectl exec, DNS, a Service, from pod to pod" from_pod "$name"
	check "$name: a Service by its name from the node" from_node "$name"
	check "$name: other names are answered as unknown" no_other_name "$name"
	check "$name: the API server's audit log" audited "$name"
done
check 'up of a cluster that is up leaves it as it is' grep 'up already' <("$here/up.sh" $one 2>&1)
pods $one >"$work/pods"
check "$one: both pods run, never restarted" same_pods
check "all of $two's processes are killed" kill_all $two
check "$two comes up after that" "$here/up.sh" $two
check "$two takes the image" "$here/load.sh" $two "$work/busybox.tar"
check "$two: pods come up" deploy $two
check "$one: the same pods still run" same_pods
check "$two is left as by a restart of the machine" like_restart $two
check "$two comes up after that" "$here/up.sh" $two
check 'a process with an id from before the restart lives' kill -0 $bystander
check "$one: the same pods still run" same_pods
check "$one: a Service, from pod to pod" from_pod $one
check "$two goes down" "$here/down.sh" $two
check "$two goes down twice" "$here/down.sh" $two
sleep 5
check "$one: the same pods still run" same_pods
check "$one: a Service, from pod to pod" from_pod $one
check "$one goes down with its pods" "$here/down.sh" $one
kill $bystander
bystander=
snapshot "$work/after"
check 'the machine is as before' diff "$work/before" "$work/after"

echo "$passed passed, $failed failed"
((failed == 0))
