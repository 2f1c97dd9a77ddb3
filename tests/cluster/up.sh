#!/usr/bin/env bash
# Starts the one-node cluster NAME: up.sh NAME. One that is up is left as it is; one that is broken is made anew.
set -euo pipefail
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
(($# == 1)) || fail 'usage: up.sh NAME'
cluster "$1"
begin=${EPOCHREALTIME/./}
for command in containerd runc nft iptables conntrack ip openssl nsenter unshare busybox; do
	command -v "$command" >/dev/null || fail "$command is not on the PATH" "Run $here/packages.sh"
done
[[ -x /usr/lib/cni/bridge ]] || fail 'the network plugins are not in /usr/lib/cni' "Run $here/packages.sh"
bin=$("$here/build.sh" | tail -n 1)

daemons=(etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy coredns containerd kubelet)
pods=10.244.0.0/24 services=10.96.0.0/16
node=10.244.0.1 # the pod bridge's own address

node_ready() { inside "$bin/kubectl" get node node1 --request-timeout=5s 2>/dev/null | grep -q ' Ready'; }
whole() {
	local daemon
	for daemon in "${daemons[@]}"; do alive "$daemon" || return 1; done
	has_namespaces && node_ready
}

not_elsewhere
lock
if whole; then
	echo "Cluster $name is up already."
	[[ $bin -ef $state/bin ]] || echo "It runs programs built earlier; to run those of now: $here/down.sh $name, then this again."
	exit 0
fi
if [[ -e $state/pid || -n $(members) ]]; then
	echo "Cluster $name is not whole: starting it anew." >&2
fi
tear_down drop
lock
mkdir -p "$state"/{pki,log,cni,etcd,kubelet,containerd,pid,ns,tunables}
ln -s "$bin" "$state/bin"
cd "$state"

# --- namespaces ----------------------------------------------------------------------------------------------------

# A mount namespace can be kept only on a mount that does not propagate.
mount --bind ns ns
mount --make-private ns
: >ns/mnt
: >ns/net

# The kubelet sets these for the whole machine when they differ: it is shown files that hold what it wants.
tunables=(vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000)

new_namespaces() {
	local folder tunable file
	# The machine's later unmounts reach the new namespace, its own mounts do not reach the machine.
	unshare --mount="$state/ns/mnt" --net="$state/ns/net" --propagation slave true
	{
		echo 'set -e'
		# Namespaces of others that are kept by a mount must be able to end while this one lives.
		# shellcheck disable=SC2016 # the inner shell expands it
		echo 'findmnt -rn -o TARGET -t nsfs | while read -r target; do umount "$target"; done'
		for folder in "${fixed_folders[@]}"; do
			echo "mount -t tmpfs -o mode=755 tlsdebug-$name $folder"
		done
		for tunable in "${tunables[@]}"; do
			file=tunables/$(tr / . <<<"${tunable%=*}")
			echo "[ ! -e /proc/sys/${tunable%=*} ] || { echo ${tunable#*=} >$file; mount --bind $file /proc/sys/${tunable%=*}; }"
		done
		cat <<-I
			ip link set lo up
			ip link add cni0 type bridge
			ip address add $node/24 dev cni0
			ip link set cni0 up
			# A route, for the packet filter to see what the node itself sends to a Service, such as calls of webhooks.
			ip route add $services dev cni0
			[ ! -e /etc/resolv.conf ] || mount --bind resolv.conf /etc/resolv.conf
		I
	} >setup.sh
	echo "nameserver $node" >resolv.conf # the machine's own may name servers that cannot be reached from inside
	inside bash setup.sh
}
make_fixed_folders new_namespaces

# Replies between two pods must pass the packet filter for a Service address to work: they cross a bridge.
bridge=/proc/sys/net/bridge/bridge-nf-call-iptables
inside test -e $bridge || modprobe br_netfilter 2>/dev/null || true
inside test -e $bridge || fail 'the kernel has no br_netfilter: Services would not work' 'Tried: modprobe br_netfilter.'
inside sh -c "echo 1 >$bridge"

# --- cgroups -------------------------------------------------------------------------------------------------------

for root in "${cgroup_roots[@]}"; do
	mkdir -p "$root/$cgroup"
	for file in cpuset.cpus cpuset.mems; do # version 1 starts them empty, and then takes no process
		[[ ! -e $root/$file || -n $(<"$root/$cgroup/$file") ]] || cat "$root/$file" >"$root/$cgroup/$file"
	done
	if [[ -e $root/cgroup.controllers ]]; then # version 2
		for controller in $(<"$root/cgroup.controllers"); do
			echo "+$controller" >"$root/cgroup.subtree_control" 2>/dev/null || true
			echo "+$controller" >"$root/$cgroup/cgroup.subtree_control" 2>/dev/null || true
		done
	fi
done
mkdir -p "$members_root/control-plane"

run() { # name, command…
	local daemon=$1
	shift
	(
		echo "$BASHPID" >"$members_root/control-plane/cgroup.procs"
		exec 8<&-
		exec_inside "$state" setsid "$@"
	) >"log/$daemon.log" 2>&1 </dev/null &
	echo "$! $(started_at $!)" >"pid/$daemon"
}

until_true() { # what is waited for, daemon it depends on, seconds, command…
	local what=$1 daemon=$2 end=$((SECONDS + $3))
	shift 3
	until "$@" >/dev/null 2>&1; do
		alive "$daemon" || fail "$daemon ended while waiting for $what; the end of $state/log/$daemon.log:" "$(tail -n 3 "log/$daemon.log")"
		((SECONDS < end)) || fail "waited in vain for $what" \
			"See $state/log/$daemon.log; remove what is there with $here/down.sh $name."
		sleep 0.2
	done
}

run etcd "$bin/etcd" --data-dir etcd --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
	--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380

# --- certificates --------------------------------------------------------------------------------------------------

cd pki
{
	curve=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
	openssl genpkey "${curve[@]}" -out sa.key
	openssl pkey -in sa.key -pubout -out sa.pub
	openssl genpkey "${curve[@]}" -out ca.key
	openssl req -x509 -new -key ca.key -out ca.crt -subj /CN=kubernetes-ca -days 3650
	issue() { # file name, subject, alternative names
		openssl genpkey "${curve[@]}" -out "$1.key"
		openssl req -new -key "$1.key" -out "$1.csr" -subj "$2"
		openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" -days 3650 \
			-extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
	}
	issue apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$node"
	issue admin /O=system:masters/CN=admin DNS:admin
	issue kubelet /O=system:nodes/CN=system:node:node1 "DNS:node1,IP:$node"
	for component in controller-manager scheduler proxy coredns; do
		subject=/CN=system:kube-$component
		[[ $component != coredns ]] || subject=/CN=system:coredns
		issue $component "$subject" DNS:$component
	done
} 2>../log/openssl.log || fail "making the certificates failed; see $state/log/openssl.log"
for user in admin kubelet controller-manager scheduler proxy coredns; do
	cat >"../$user.kubeconfig" <<-K
		apiVersion: v1
		kind: Config
		clusters: [{name: $name, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
		users: [{name: $user, user: {client-certificate-data: $(base64 -w0 $user.crt), client-key-data: $(base64 -w0 $user.key)}}]
		contexts: [{name: $name, context: {cluster: $name, user: $user}}]
		current-context: $name
	K
done
chmod 600 ../*.kubeconfig ./*.key
cd ..

# --- API server and containerd -------------------------------------------------------------------------------------

# An API server that finds no etcd when it starts looks for its features again only seconds later, and is slow until then.
until_true etcd etcd 30 inside bash -c ': </dev/tcp/127.0.0.1/2379'
cat >audit.yaml <<'A'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
A
run kube-apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=$services \
	--bind-address=0.0.0.0 --advertise-address=$node --cert-dir=pki --tls-cert-file=pki/apiserver.crt \
	--tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt --kubelet-certificate-authority=pki/ca.crt \
	--kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key \
	--kubelet-preferred-address-types=InternalIP --service-account-key-file=pki/sa.pub \
	--service-account-signing-key-file=pki/sa.key --service-account-issuer=https://kubernetes.default.svc \
	--authorization-mode=Node,RBAC --allow-privileged=true \
	--feature-gates=MutatingAdmissionPolicy=true --runtime-config=admissionregistration.k8s.io/v1beta1=true --audit-policy-file=audit.yaml --audit-log-path=log/audit.log

cat >containerd.toml <<T
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
[grpc]
 address = "$CONTAINERD_ADDRESS"
[ttrpc]
 address = "$CONTAINERD_ADDRESS.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
 path = "$state/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
 restrict_oom_score_adj = true # without CAP_SYS_RESOURCE root may not lower oom_score_adj
 sandbox_image = "tlsdebug.local/pause:1"
 [plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "$CONTAINERD_SNAPSHOTTER"
 [plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "$state/cni"
T
cat >cni/10-pods.conflist <<'N'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
N
run containerd containerd -c containerd.toml
until_true containerd containerd 30 inside ctr version
inside ctr image import --snapshotter "$CONTAINERD_SNAPSHOTTER" "$bin/pause.tar" >log/import.log 2>&1 || fail "could not import the pause image; see $state/log/import.log"
until_true 'the API server' kube-apiserver 90 inside "$bin/kubectl" get --raw /readyz --request-timeout=5s

# --- what needs the API server -------------------------------------------------------------------------------------

run kube-controller-manager "$bin/kube-controller-manager" --kubeconfig=controller-manager.kubeconfig --root-ca-file=pki/ca.crt \
	--service-account-private-key-file=pki/sa.key --use-service-account-credentials --leader-elect=false --kube-api-qps=200 --kube-api-burst=400 \
	--cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key --cert-dir=pki
run kube-scheduler "$bin/kube-scheduler" --kubeconfig=scheduler.kubeconfig --leader-elect=false --cert-dir=pki

cat >kubelet.yaml <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $state/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/kubelet.crt
tlsPrivateKeyFile: $state/pki/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
maxPods: 250
containerRuntimeEndpoint: unix://$CONTAINERD_ADDRESS
clusterDomain: cluster.local
clusterDNS: [$node]
resolvConf: $state/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100 # an image that is removed cannot be pulled again
podLogsDir: $state/pod-logs
containerLogMaxSize: ${TLSDEBUG_LOG_SIZE:-10Mi}
volumePluginDir: $state/kubelet/volume-plugins
Y
run kubelet "$bin/kubelet" --config kubelet.yaml --kubeconfig kubelet.kubeconfig --hostname-override=node1 \
	--node-ip=$node --root-dir="$state/kubelet"

cat >proxy.yaml <<P
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $state/proxy.kubeconfig}
clusterCIDR: $pods
oomScoreAdj: 0
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
P
run kube-proxy "$bin/kube-proxy" --config proxy.yaml --hostname-override=node1

cat >dns.yaml <<'D'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
rules:
- {apiGroups: [""], resources: [services, namespaces, endpoints, pods], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:coredns"}]
D
cat >Corefile <<C
cluster.local:53 $pods:53 $services:53 {
	bind $node
	errors
	kubernetes {
		kubeconfig $state/coredns.kubeconfig
	}
}
.:53 { # there is no way out, so there is no other name
	bind $node
	errors
	template IN ANY . {
		rcode NXDOMAIN
	}
}
C
inside "$bin/kubectl" create -f dns.yaml --validate=false >log/kubectl.log 2>&1 || fail "could not create DNS's rights; see $state/log/kubectl.log"
run coredns "$bin/coredns" -conf Corefile

until_true 'DNS' coredns 60 inside busybox nslookup kubernetes.default.svc.cluster.local "$node"
until_true 'the proxy' kube-proxy 60 inside nft list table ip kube-proxy
until_true 'the default ServiceAccount' kube-controller-manager 60 inside "$bin/kubectl" get serviceaccount default
until_true 'node1 to be ready' kubelet 60 node_ready

took=$(((${EPOCHREALTIME/./} - begin) / 100000))
echo "Cluster $name is up after $((took / 10)).$((took % 10)) s. To use it: $here/enter.sh $name kubectl get nodes"
