# shellcheck shell=bash
# What up.sh, down.sh, enter.sh and load.sh share; they source it.
# shellcheck disable=SC2034 # the scripts that source this use it
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { # what is wrong, then the ways out, a line each
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	(($# == 0)) || printf '  %s\n' "$@" >&2
	exit 1
}

# Takes a cluster's name and sets what follows from it. One name is one cluster of the machine.
cluster() {
	name=$1
	[[ $name =~ ^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$ ]] ||
		fail "'$name' is no name for a cluster" 'Take lower-case letters, digits and dashes, a letter first, at most 30.'
	((EUID == 0)) || fail 'this needs root: it works with namespaces, mounts and cgroups' 'Run it as root, for example with sudo -E.'
	state=$(realpath -m "${TLSDEBUG_STATE:-/var/lib/tlsdebug}")/$name
	((${#state} <= 70)) || fail "the state folder $state has too long a path for the sockets in it" 'Set TLSDEBUG_STATE to a shorter one.'
	# What kubectl keeps about a server it files under its address, and that is the same in every cluster.
	export KUBECONFIG=$state/admin.kubeconfig KUBECACHEDIR=$state/kubectl-cache
	export CONTAINERD_ADDRESS=$state/containerd/containerd.sock CONTAINERD_NAMESPACE=k8s.io CONTAINERD_SNAPSHOTTER=overlayfs
	local parent=$state
	while [[ ! -d $parent ]]; do parent=$(dirname "$parent"); done
	# An overlay cannot be stacked on an overlay: copies of the layers, then.
	[[ $(stat -f -c %T "$parent") != overlayfs ]] || CONTAINERD_SNAPSHOTTER=native
	cgroup=tlsdebug-$name
	cgroup_roots
}

# --- one at a time -------------------------------------------------------------------------------------------------

# Holds the cluster's state folder locked until the script ends, as file descriptor 8: no two ups or downs at once.
lock() {
	while :; do
		mkdir -p "$state"
		exec 8<"$state"
		flock -w 120 8 || fail "another up.sh or down.sh has been at work on cluster $name for two minutes" \
			"See who: fuser -v $state"
		[[ $state -ef /dev/fd/8 ]] && return # a down.sh may have removed the folder while we waited
	done
}

# --- cgroups -------------------------------------------------------------------------------------------------------

# Sets cgroup_roots (the hierarchies to make the cluster's folder in) and members_root (the one that tells which
# processes are the cluster's: everything up.sh starts, and all that comes of it, is below it and nothing else is).
cgroup_roots() {
	if [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
		cgroup_roots=(/sys/fs/cgroup)
	else
		mapfile -t cgroup_roots < <(findmnt -rn -o TARGET -t cgroup)
	fi
	((${#cgroup_roots[@]})) || fail 'no cgroups are mounted below /sys/fs/cgroup' 'The kubelet cannot work without them.'
	members_root=${cgroup_roots[0]}
	[[ ! -d /sys/fs/cgroup/pids ]] || members_root=/sys/fs/cgroup/pids
	members_root+=/$cgroup
}

# The process ids in the cluster's cgroup, or in one part of it.
members() {
	local folder=$members_root${1:+/$1}
	[[ -d $folder ]] || return 0
	find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -vx 0 || true
}

signal() { # signal, part of the cgroup
	local pids
	mapfile -t pids < <(members "${2:-}")
	((${#pids[@]} == 0)) || kill "-$1" "${pids[@]}" 2>/dev/null || true
}

gone() { # seconds, part of the cgroup: waits for it to be empty
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	while [[ -n $(members "${2:-}") ]]; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.1
	done
}

# Refuses when the name is up with another state folder: that cluster's processes work in that one.
not_elsewhere() {
	local pid folder
	for pid in $(members control-plane); do
		folder=$(readlink "/proc/$pid/cwd" 2>/dev/null) || continue
		[[ $folder == */"$name" && $folder != "$state" ]] || continue
		fail "cluster $name is up with another state folder, $folder" "Use TLSDEBUG_STATE=${folder%/*}, or another name."
	done
}

# --- namespaces ----------------------------------------------------------------------------------------------------

# Folders that Kubernetes and containerd use at fixed places. Each cluster sees its own there.
fixed_folders=(/run/netns /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers)

has_namespaces() { [[ $(stat -f -c %T "$state/ns/mnt" "$state/ns/net" 2>/dev/null | sort -u) == nsfs ]]; }

# The ids of the processes that are still in the cluster's mount namespace.
visitors() {
	local inode
	inode=$(stat -c %i "$state/ns/mnt")
	# find fails when a process ends under its eyes.
	{ find /proc/[0-9]*/ns/mnt -lname "mnt:\\[$inode\\]" 2>/dev/null || true; } | cut -d / -f 3 | xargs
}

# Replaces the process: a command in the cluster's namespaces, in the folder given.
exec_inside() { # folder, command…
	# There is no way out of the cluster's network, so no proxy to go through either.
	# shellcheck disable=SC2016 # the inner shell expands them
	exec env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY \
		nsenter --mount="$state/ns/mnt" --net="$state/ns/net" -- bash -c 'cd "$0" && exec "$@"' "$@"
}

inside() { (exec_inside "$state" "$@"); }

# --- processes -----------------------------------------------------------------------------------------------------

started_at() { # the kernel's start time of a process: with it, a process id is not taken for an earlier process's
	local fields
	{ fields=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	read -ra fields <<<"${fields##*) }"
	echo "${fields[19]}"
}

alive() { # the name of a process of the cluster
	local pid start
	{ read -r pid start <"$state/pid/$1"; } 2>/dev/null || return 1
	[[ $(started_at "$pid") == "$start" ]]
}

# --- the end -------------------------------------------------------------------------------------------------------

# Ends and removes what there is of the cluster, whatever state it is in. Keeps the state folder's logs when asked to.
tear_down() { # keep | drop
	local pid folder
	# Everything there is thrown away, so pods get no time to end, and the servers only a little: an API server
	# drains for up to a minute, also when nothing is left that could still ask it.
	signal KILL kubepods
	signal TERM control-plane
	for _ in {1..10}; do
		for pid in "$state"/pid/*; do
			! alive "${pid##*/}" || { sleep 0.1 && continue 2; }
		done
		break
	done
	for _ in {1..50}; do
		signal KILL
		! gone 1 || break
	done
	[[ -z $(members) ]] || fail "these processes of cluster $name do not end: $(members | xargs)" \
		'Look at them with ps; processes in state D wait for the kernel.'
	if has_namespaces && folder=$(visitors) && [[ -n $folder ]]; then
		echo "${0##*/}: these processes were started with enter.sh and keep the namespaces of cluster $name until they end: $folder" >&2
	fi
	# The mounts made inside go with the mount namespace.
	for folder in mnt net; do
		while [[ $(stat -f -c %T "$state/ns/$folder" 2>/dev/null) == nsfs ]]; do umount "$state/ns/$folder"; done
	done
	while mountpoint -q "$state/ns"; do umount "$state/ns"; done
	remove_fixed_folders
	remove_cgroups
	if [[ $1 == keep ]]; then
		find "$state" -mindepth 1 -maxdepth 1 ! -name log ! -name pod-logs -exec rm -rf --one-file-system {} +
	else
		rm -rf --one-file-system "$state"
		rmdir --ignore-fail-on-non-empty "$(dirname "$state")" 2>/dev/null || true
	fi
}

remove_cgroups() {
	local root roots
	# Where both versions are mounted, runc makes the folders in version 2's as well.
	mapfile -t roots < <(findmnt -rn -o TARGET -t cgroup,cgroup2)
	for root in "${roots[@]}"; do
		[[ -d $root/$cgroup ]] || continue
		for _ in {1..20}; do # the kernel frees a cgroup a moment after its last process
			find "$root/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && continue 2
			sleep 0.1
		done
		echo "${0##*/}: could not remove $root/$cgroup: a process may still be in it" >&2
	done
}

# Makes the fixed folders where missing, and notes which. Another cluster may be doing the same, hence the lock.
make_fixed_folders() {
	local folder
	(
		flock 9
		for folder in "${fixed_folders[@]}"; do
			[[ -d $folder ]] || { mkdir -p "$folder" && : >"$folder/.made-by-tlsdebug"; }
		done
		# Held until the mounts are there: they are what tells another cluster's end that a folder is in use.
		"$@"
	) 9</run
}

# Removes the fixed folders that a cluster made, unless another one has its own mounted there.
remove_fixed_folders() {
	local folder
	(
		flock 9
		for folder in "${fixed_folders[@]}"; do
			[[ -e $folder/.made-by-tlsdebug ]] || continue
			! grep -qs " $folder .* tlsdebug-" /proc/[0-9]*/mountinfo || continue
			rm "$folder/.made-by-tlsdebug"
			rmdir "$folder" 2>/dev/null || true # someone else has put something there
		done
	) 9</run
}
